"""kurigram (Pyrogram's descendant) as a bot, over its own default transport. Usage: kurigram_bot.py CONTROL_URL"""

import asyncio

import control as c
from pyrogram import enums, filters
from pyrogram.errors import BotMethodInvalid
from pyrogram.handlers import CallbackQueryHandler, MessageHandler
from pyrogram.types import InlineKeyboardButton, InlineKeyboardMarkup


async def main(url):
    control = c.Control(url)
    account = control.bot("beta")
    ann = control.member("Ann", "ann")
    group = control.post("/v1/channels", title="Group", kind="supergroup", members=[ann["id"], account["id"]])
    bot = c.kurigram(control, control.key(), bot_token=account["token"], skip_updates=False)
    inbox = asyncio.Queue()
    add_handlers(bot, inbox)
    await c.soon(bot.start(), "login")
    me = await bot.get_me()
    c.same((me.id, me.is_bot, me.username), (account["id"], True, "beta_bot"), "get_me")
    control.post(f"/v1/members/{ann['id']}/start", bot=account["id"])
    started = await c.soon(inbox.get(), "/start")
    c.same((started.text, started.from_user.first_name), ("/start", "Ann"), "/start")
    await writes(control, account, ann, started)
    await is_pressed(control, bot, account, ann)
    await moves_files(control, bot, account, ann, inbox)
    await looks_around(bot, group, ann)
    await catches_up(control, bot, account, ann, inbox)
    await bot.stop()
    c.same(control.events("unknown_method", "auth_key_duplicated"), [], "calls that nobody answers")


def add_handlers(bot, inbox):
    async def received(_, message):
        await inbox.put(message)

    async def pressed(_, press):
        await press.answer("thanks", show_alert=True)
        await press.message.edit_text("done")

    bot.add_handler(MessageHandler(received, filters.private & filters.incoming))
    bot.add_handler(CallbackQueryHandler(pressed))


def seen(control, account, ann):
    return control.get(f"/v1/members/{ann['id']}/chat?user={account['id']}")["messages"]


async def writes(control, account, ann, started):
    reply = await started.reply_text("hello **Ann**")
    last = seen(control, account, ann)[-1]
    c.same((last["text"], last["reply_to"]), ("hello Ann", 1), "a reply")
    await reply.edit_text("hello again")
    c.same(seen(control, account, ann)[-1]["text"], "hello again", "an edit")
    await reply.delete()
    c.same(len(seen(control, account, ann)), 1, "a deletion")


async def is_pressed(control, bot, account, ann):
    keyboard = InlineKeyboardMarkup([[InlineKeyboardButton("Yes", callback_data="yes")]])
    await bot.send_message(ann["id"], "sure?", reply_markup=keyboard)
    shown = seen(control, account, ann)[-1]
    press = {"chat": {"user": account["id"]}, "message_id": shown["id"], "row": 0, "col": 0}
    answered = await asyncio.to_thread(control.post, f"/v1/members/{ann['id']}/press", **press)
    c.same((answered["message"], answered["alert"]), ("thanks", True), "an answer")
    await c.until(lambda: seen(control, account, ann)[-1]["text"] == "done", "an edit after the press")


async def moves_files(control, bot, account, ann, inbox):
    # Not a multiple of any part size; over connections of their own, as is this client's way.
    body = bytes(at * 31 % 251 for at in range(700_001))
    sent = await bot.send_document(ann["id"], c.named("a.bin", body), caption="a file")
    shown = seen(control, account, ann)[-1]
    c.same((shown["text"], shown["document"]["name"], shown["document"]["size"]), ("a file", "a.bin", len(body)), "an upload")
    c.same((await bot.download_media(sent, in_memory=True)).getvalue(), body, "its own file")
    document = {"name": "a.pdf", "mime": "application/pdf", "size": 300_001}
    control.post(f"/v1/members/{ann['id']}/send", to={"user": account["id"]}, document=document)
    received = await c.soon(inbox.get(), "a document")
    c.same(received.document.file_name, "a.pdf", "its name")
    c.same(len((await bot.download_media(received, in_memory=True)).getvalue()), 300_001, "a download")


async def looks_around(bot, group, ann):
    c.same((await bot.get_users("ann")).id, ann["id"], "a username")
    chat_id = int(f"-100{group['id']}")
    c.same((await bot.get_chat(chat_id)).title, "Group", "a channel")
    c.same((await bot.get_chat_member(chat_id, "me")).status, enums.ChatMemberStatus.MEMBER, "its own standing")
    for refused in (bot.get_dialogs, lambda: bot.get_chat_history(ann["id"])):
        try:
            async for _ in refused():
                pass
        except BotMethodInvalid:
            continue
        raise AssertionError("a bot may look around")


async def catches_up(control, bot, account, ann, inbox):
    await bot.stop(clear_handlers=False)
    control.post(f"/v1/members/{ann['id']}/send", to={"user": account["id"]}, text="are you there?")
    await c.soon(bot.start(), "a restart")
    missed = await c.soon(inbox.get(), "what was missed")
    c.same(missed.text, "are you there?", "what was missed")


if __name__ == "__main__":
    c.run(main)
