//! Every text and what is filled into it, as a closed enum: a missing value does not compile, a missing key does not parse.

lines! {
    // any conversation
    ForMember = "for_member" { name }
    Welcome = "welcome" { bot }
    Help = "help" {}
    NothingOpen = "nothing_open" {}
    AlreadyOpen = "already_open" {}
    UnknownCommand = "unknown_command" { command }
    Cancelled = "cancelled" {}
    CancelledEmpty = "cancelled_empty" {}
    Switched = "switched" { old, new }
    SwitchedUnknown = "switched_unknown" { new }
    Unsaid = "unsaid" {}
    SoFar = "so_far" {}
    SoFarNothing = "so_far_nothing" {}
    StaleButton = "stale_button" {}
    ForeignButton = "foreign_button" {}
    NotTaken = "not_taken" {}
    Invitation = "invitation" {}
    InvitationButton = "invitation_button" { bot }
    Reminder = "reminder" {}
    TooLarge = "too_large" {}
    Unreadable = "unreadable" {}
    Newer = "newer" {}

    // what is said outside of a conversation
    Standby = "standby" { active, link }
    StandbyUnknown = "standby_unknown" {}
    StandbyPressed = "standby_pressed" { active }
    StandbyPressedUnknown = "standby_pressed_unknown" {}
    Announcement = "announcement" { old, new, link }
    AnnouncementUnknown = "announcement_unknown" { new, link }
    AnnouncementOver = "announcement_over" { new }
    AnnouncementOverUnknown = "announcement_over_unknown" {}
    GoOnButton = "go_on_button" { bot }

    // the course upload: prompts
    StepHeading = "step_heading" { number, name }
    StepTitle = "step_title" {}
    StepDescription = "step_description" {}
    StepCategory = "step_category" {}
    StepTags = "step_tags" {}
    StepFiles = "step_files" {}
    StepReview = "step_review" {}
    AskTitle = "ask_title" { min, max }
    AskDescription = "ask_description" { min, max }
    AskCategory = "ask_category" {}
    AskTags = "ask_tags" {}
    AskFiles = "ask_files" { max, megabytes }
    AskReview = "ask_review" {}
    KeepBySkip = "keep_by_skip" { value }
    FilesStored = "files_stored" { count, max }
    FilesPending = "files_pending" { count }
    FilesMissing = "files_missing" { button, names }
    FilesBySkip = "files_by_skip" {}
    ChosenCategory = "chosen_category" { category }

    // the course upload: the card
    CardTitle = "card_title" { title }
    CardDescription = "card_description" { description }
    CardCategory = "card_category" { category }
    CardTags = "card_tags" { tags }
    CardFiles = "card_files" { files }
    NoTags = "no_tags" {}
    NoFiles = "no_files" {}

    // the course upload: answers
    AcceptedTitle = "accepted_title" { title }
    AcceptedDescription = "accepted_description" { description }
    AcceptedCategory = "accepted_category" { category }
    AcceptedTags = "accepted_tags" { tags }
    AcceptedFile = "accepted_file" { number, name }
    RemovedFile = "removed_file" { name }
    UnnamedFile = "unnamed_file" {}
    LostFile = "lost_file" { number, name }
    Submitted = "submitted" { title }
    SubmitLater = "submit_later" {}
    Announced = "announced" { title }
    ToldCourse = "told_course" { member, title }

    // the course upload: refusals
    BadTitle = "bad_title" { min, max, length }
    BadDescription = "bad_description" { min, max, length }
    BadEdit = "bad_edit" { rule }
    TextWanted = "text_wanted" {}
    ButtonWanted = "button_wanted" {}
    FileWanted = "file_wanted" {}
    NoMoreFiles = "no_more_files" { name, max }
    FileTooLarge = "file_too_large" { name, megabytes }
    FilePending = "file_pending" {}
    Incomplete = "incomplete" {}

    // buttons
    Chosen = "chosen" { name }
    Done = "done" {}
    Skip = "skip" {}
    Back = "back" {}
    RemoveLast = "remove_last" {}
    Submit = "submit" {}
    ChangeTitle = "change_title" {}
    ChangeDescription = "change_description" {}
    ChangeCategory = "change_category" {}
    ChangeTags = "change_tags" {}
    ChangeFiles = "change_files" {}
    Cancel = "cancel" {}
}
