"""kurigram as a member, talking to a bot that is Telethon: two clients that share nothing. Usage: kurigram_member.py CONTROL_URL"""

import asyncio

import control as c
from pyrogram import enums, filters, raw
from pyrogram.errors import BotResponseTimeout, YouBlockedUser
from pyrogram.handlers import MessageHandler
from telethon import Button, events
from telethon.network import ConnectionTcpFull


async def main(url):
    control = c.Control(url)
    account = control.bot("alpha")
    ann = control.member("Ann", "ann")
    bot = c.telethon(control, control.key(), ConnectionTcpFull)
    await c.soon(bot.start(bot_token=account["token"]), "the bot's login")
    files = asyncio.Queue()
    add_bot(bot, files)
    phone = c.kurigram(control, control.device(ann), ann["id"], skip_updates=False)
    inbox = asyncio.Queue()

    async def received(_, message):
        await inbox.put(message)

    phone.add_handler(MessageHandler(received, filters.incoming))
    await c.soon(phone.start(), "a device")
    me = await phone.get_me()
    c.same((me.id, me.is_bot, me.username), (ann["id"], False, "ann"), "get_me")
    await talks(phone, inbox)
    await presses(control, phone, inbox)
    await reads(phone)
    await joins(control, phone)
    await moves_files(phone, inbox, files)
    await blocks(phone)
    await catches_up(control, account, ann, phone, inbox)
    await phone.stop()
    await bot.disconnect()
    c.same(control.events("unknown_method", "auth_key_duplicated"), [], "calls that nobody answers")


def add_bot(bot, files):
    async def received(event):
        if event.document:
            await files.put(await event.download_media(bytes))
            await event.reply(file=b"from the bot" * 30_000, attributes=[])
        elif event.raw_text == "ask":
            await event.respond("sure?", buttons=[Button.inline("Yes", b"yes"), Button.inline("No", b"no")])
        else:
            await event.reply(f"echo: {event.raw_text}")

    async def pressed(event):
        if event.data == b"yes":
            await event.answer("thanks", alert=True)

    bot.add_event_handler(received, events.NewMessage(incoming=True, func=lambda event: event.is_private))
    bot.add_event_handler(pressed, events.CallbackQuery)


async def talks(phone, inbox):
    c.same((await phone.get_chat("alpha_bot")).type, enums.ChatType.BOT, "a bot by its username")
    await phone.start_bot("alpha_bot", "xyz")
    c.same((await c.soon(inbox.get(), "an echo")).text, "echo: /start xyz", "Start with a payload")
    sent = await phone.send_message("alpha_bot", "one")
    echo = await c.soon(inbox.get(), "an echo")
    c.same((echo.text, echo.reply_to_message_id), ("echo: one", sent.id), "an echo")
    await sent.edit_text("two")
    c.same((await phone.get_messages("alpha_bot", sent.id)).text, "two", "an edit")
    reply = await echo.reply_text("three")
    c.same((await c.soon(inbox.get(), "an echo")).text, "echo: three", "a reply")
    await reply.delete()
    c.same((await phone.get_messages("alpha_bot", reply.id)).empty, True, "a deletion")


async def presses(control, phone, inbox):
    await phone.send_message("alpha_bot", "ask")
    asked = await c.soon(inbox.get(), "a keyboard")
    c.same(asked.reply_markup.inline_keyboard[0][0].text, "Yes", "a keyboard")
    answer = await phone.request_callback_answer(asked.chat.id, asked.id, b"yes")
    c.same((answer.message, answer.alert), ("thanks", True), "a press")
    control.put("/v1/doubts", press_timeout_ms=200)
    try:
        await phone.request_callback_answer(asked.chat.id, asked.id, b"no")
    except BotResponseTimeout:
        return
    raise AssertionError("a press that nobody answers")


async def reads(phone):
    dialogs = [dialog.chat.first_name async for dialog in phone.get_dialogs()]
    c.same(dialogs, ["alpha"], "dialogs")
    history = [message.text async for message in phone.get_chat_history("alpha_bot")]
    wanted = ["sure?", "ask", "echo: three", "echo: one", "two", "echo: /start xyz", "/start xyz"]
    c.same(history, wanted, "history")
    found = [message.text async for message in phone.search_messages("alpha_bot", "ECHO: o")]
    c.same(found, ["echo: one"], "a search")
    c.same(await phone.read_chat_history("alpha_bot"), True, "a read mark")
    c.same(await phone.send_chat_action("alpha_bot", enums.ChatAction.TYPING), True, "typing")
    c.same(await phone.invoke(raw.functions.account.UpdateStatus(offline=False)), True, "presence")


async def joins(control, phone):
    bob = control.member("Bob")
    control.post("/v1/channels", title="Open", kind="supergroup", username="open_group", members=[bob["id"]])
    await phone.join_chat("open_group")
    group = await phone.get_chat("open_group")
    c.same(group.title, "Open", "a group by its name")
    await phone.send_message(group.id, "here I am")
    dialogs = [dialog.chat.title or dialog.chat.first_name async for dialog in phone.get_dialogs()]
    c.same(sorted(dialogs), ["Open", "alpha"], "dialogs")
    names = [one.user.first_name async for one in phone.get_chat_members(group.id)]
    c.same(sorted(names), ["Ann", "Bob"], "participants")
    c.same((await phone.get_chat_member(group.id, "me")).status, enums.ChatMemberStatus.MEMBER, "her own standing")
    c.same((await phone.get_chat(group.id)).members_count, 2, "the full channel")
    await phone.read_chat_history(group.id)
    await phone.leave_chat(group.id)


async def moves_files(phone, inbox, files):
    body = bytes(at * 17 % 253 for at in range(700_007))
    await phone.send_document("alpha_bot", c.named("mine.bin", body))
    c.same(await c.soon(files.get(), "the bot's download"), body, "a file to the bot")
    answer = await c.soon(inbox.get(), "a file")
    content = (await phone.download_media(answer, in_memory=True)).getvalue()
    c.same(content, b"from the bot" * 30_000, "a file from the bot")


async def blocks(phone):
    await phone.block_user("alpha_bot")
    try:
        await phone.send_message("alpha_bot", "hello?")
    except YouBlockedUser:
        await phone.unblock_user("alpha_bot")
        return
    raise AssertionError("a message to a blocked bot")


async def catches_up(control, account, ann, phone, inbox):
    await phone.stop(clear_handlers=False)
    while not inbox.empty():
        inbox.get_nowait()
    chat = f"/v1/members/{ann['id']}/chat?user={account['id']}"
    before = len(control.get(chat)["messages"])
    control.post(f"/v1/members/{ann['id']}/send", to={"user": account["id"]}, text="from elsewhere")
    await c.until(lambda: len(control.get(chat)["messages"]) == before + 2, "the bot's echo")
    await c.soon(phone.start(), "a restart")
    c.same((await c.soon(inbox.get(), "what was missed")).text, "echo: from elsewhere", "what was missed")


if __name__ == "__main__":
    c.run(main)
