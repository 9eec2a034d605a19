//! The rights an administrator of a channel or supergroup can have.
//!
//! Source: <https://core.telegram.org/constructor/chatAdminRights> (layer 230); the words are its field names.

use super::value::words;

words!(
    /// One flag of `chatAdminRights`.
    Right {
        ChangeInfo = "change_info",
        PostMessages = "post_messages",
        EditMessages = "edit_messages",
        DeleteMessages = "delete_messages",
        BanUsers = "ban_users",
        InviteUsers = "invite_users",
        PinMessages = "pin_messages",
        AddAdmins = "add_admins",
        Anonymous = "anonymous",
        ManageCall = "manage_call",
        Other = "other",
        ManageTopics = "manage_topics",
        PostStories = "post_stories",
        EditStories = "edit_stories",
        DeleteStories = "delete_stories",
        ManageDirectMessages = "manage_direct_messages",
    }
);
