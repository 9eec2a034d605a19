"""Telethon as a member, on two devices, with a bot that is Telethon too. Usage: telethon_member.py CONTROL_URL"""

import asyncio

import control as c
from telethon import Button, events, functions, types
from telethon.errors import BotResponseTimeoutError, UserBotRequiredError, YouBlockedUserError
from telethon.network import ConnectionTcpAbridged, ConnectionTcpFull, ConnectionTcpIntermediate


async def main(url):
    control = c.Control(url)
    account = control.bot("alpha")
    ann = control.member("Ann", "ann")
    phone = c.telethon(control, control.device(ann), ConnectionTcpFull, catch_up=True)
    laptop = c.telethon(control, control.device(ann), ConnectionTcpIntermediate)
    bot = c.telethon(control, control.key(), ConnectionTcpAbridged)
    await c.soon(bot.start(bot_token=account["token"]), "the bot's login")
    echo_and_answer(bot)
    inbox, other = asyncio.Queue(), asyncio.Queue()
    phone.add_event_handler(inbox.put, events.NewMessage(incoming=True))
    laptop.add_event_handler(other.put, events.NewMessage(outgoing=True))
    for device in (phone, laptop):
        await c.soon(device.connect(), "a device")
        c.same(await device.is_user_authorized(), True, "authorized")
    me = await phone.get_me()
    c.same((me.id, me.bot, me.username), (ann["id"], False, "ann"), "get_me")
    await talks(phone, inbox, other)
    await presses(control, phone, inbox)
    await reads(phone)
    await joins(control, phone)
    await blocks(control, phone)
    await keeps_her_place(phone)
    await moves_files(phone)
    await catches_up(control, account, ann, phone, inbox)
    await survives_a_reset(control, account, ann, phone, bot, inbox)
    for client in (phone, laptop, bot):
        await client.disconnect()
    c.same(control.events("unknown_method", "auth_key_duplicated"), [], "calls that nobody answers")


def echo_and_answer(bot):
    async def echo(event):
        if event.raw_text == "ask":
            await event.respond("sure?", buttons=[Button.inline("Yes", b"yes"), Button.inline("No", b"no")])
        elif not event.document:
            await event.reply(f"echo: {event.raw_text}")

    async def answer(event):
        if event.data == b"yes":
            await event.answer("thanks")

    bot.add_event_handler(echo, events.NewMessage(incoming=True, func=lambda event: event.is_private))
    bot.add_event_handler(answer, events.CallbackQuery)


async def talks(phone, inbox, other):
    alpha = await phone.get_entity("alpha_bot")
    c.same(alpha.bot, True, "a bot by its username")
    await phone(functions.messages.StartBotRequest(bot=alpha, peer=alpha, start_param="xyz"))
    c.same((await c.soon(inbox.get(), "an echo")).raw_text, "echo: /start xyz", "Start with a payload")
    c.same((await c.soon(other.get(), "the other device")).raw_text, "/start xyz", "the other device")
    sent = await phone.send_message(alpha, "one")
    echo = await c.soon(inbox.get(), "an echo")
    c.same((echo.raw_text, echo.reply_to_msg_id), ("echo: one", sent.id), "an echo")
    c.same((await c.soon(other.get(), "the other device")).id, sent.id, "the same number on every device")
    await sent.edit("two")
    c.same((await phone.get_messages(alpha, ids=sent.id)).raw_text, "two", "an edit")
    reply = await echo.reply("three")
    c.same((await c.soon(inbox.get(), "an echo")).raw_text, "echo: three", "a reply")
    await reply.delete(revoke=True)
    c.same(await phone.get_messages(alpha, ids=reply.id), None, "a deletion")


async def presses(control, phone, inbox):
    await phone.send_message("alpha_bot", "ask")
    asked = await c.soon(inbox.get(), "a keyboard")
    c.same((await asked.click(data=b"yes")).message, "thanks", "a press")
    control.put("/v1/doubts", press_timeout_ms=200)
    try:
        # Telethon makes `None` of this error in `click`, so the call is made plainly.
        await phone(functions.messages.GetBotCallbackAnswerRequest(peer="alpha_bot", msg_id=asked.id, data=b"no"))
    except BotResponseTimeoutError:
        pass
    else:
        raise AssertionError("a press that nobody answers")


async def reads(phone):
    dialogs = [dialog async for dialog in phone.iter_dialogs()]
    c.same([dialog.name for dialog in dialogs], ["alpha"], "dialogs")
    history = [message.raw_text async for message in phone.iter_messages("alpha_bot", reverse=True)]
    wanted = ["/start xyz", "echo: /start xyz", "two", "echo: one", "echo: three", "ask", "sure?"]
    c.same(history, wanted, "history")
    short = [message.raw_text async for message in phone.iter_messages("alpha_bot", limit=2, offset_id=3)]
    c.same(short, ["echo: /start xyz", "/start xyz"], "a part of it")
    found = [message.raw_text async for message in phone.iter_messages("alpha_bot", search="ECHO", from_user="me")]
    c.same(found, [], "a search for her own words")
    found = [message.raw_text async for message in phone.iter_messages("alpha_bot", search="THREE")]
    c.same(found, ["echo: three"], "a search")
    await phone.send_read_acknowledge("alpha_bot")
    typing = types.SendMessageTypingAction()
    c.same(await phone(functions.messages.SetTypingRequest("alpha_bot", typing)), True, "typing")
    try:
        await phone(functions.messages.SetBotCallbackAnswerRequest(query_id=1, cache_time=0))
    except UserBotRequiredError:
        return
    raise AssertionError("a person may do what bots do")


async def joins(control, phone):
    bob = control.member("Bob")
    open_group = control.post("/v1/channels", title="Open", kind="supergroup", username="open_group", members=[bob["id"]])
    control.post(f"/v1/members/{bob['id']}/send", to={"channel": open_group["id"]}, text="welcome")
    group = await phone.get_entity("open_group")
    c.same(group.left, True, "not in it yet")
    await phone(functions.channels.JoinChannelRequest(group))
    sent = await phone.send_message(group, "here I am")
    texts = [message.raw_text for message in await phone.get_messages(group, limit=10)]
    c.same(texts, ["here I am", None, "welcome", None], "the group's history")
    full = await phone(functions.channels.GetFullChannelRequest(group))
    c.same(full.full_chat.participants_count, 2, "the full channel")
    c.same(sorted(one.first_name for one in await phone.get_participants(group)), ["Ann", "Bob"], "participants")
    c.same((await phone.get_permissions(group, "me")).is_admin, False, "her own standing")
    await phone.send_read_acknowledge(group)
    await sent.delete()
    await phone.delete_dialog(group)
    c.same([dialog.name async for dialog in phone.iter_dialogs()], ["alpha"], "left again")


async def blocks(control, phone):
    await phone(functions.contacts.BlockRequest("alpha_bot"))
    c.same((await phone(functions.users.GetFullUserRequest("alpha_bot"))).full_user.blocked, True, "blocked")
    try:
        await phone.send_message("alpha_bot", "hello?")
    except YouBlockedUserError:
        pass
    else:
        raise AssertionError("a message to a blocked bot")
    c.same(len((await phone(functions.contacts.GetBlockedRequest(0, 10))).blocked), 1, "the list of the blocked")
    await phone(functions.contacts.UnblockRequest("alpha_bot"))
    c.same([event["blocked"] for event in control.events("bot_blocked")], [True, False], "the bot's side")


async def keeps_her_place(phone):
    await phone.send_message("me", "a note to myself")
    saved = [message.raw_text async for message in phone.iter_messages("me")]
    c.same(saved, ["a note to myself"], "Saved Messages")
    await phone.delete_dialog("me")
    c.same(len(await phone.get_messages("me", limit=5)), 0, "cleared")


async def moves_files(phone):
    body = bytes(at * 17 % 253 for at in range(1_200_007))
    sent = await phone.send_file("alpha_bot", body, caption="mine")
    again = await phone.get_messages("alpha_bot", ids=sent.id)
    c.same(await again.download_media(bytes), body, "a file there and back")


async def catches_up(control, account, ann, phone, inbox):
    await phone.disconnect()
    while not inbox.empty():
        inbox.get_nowait()
    chat = control.get(f"/v1/members/{ann['id']}/chat?user={account['id']}")["messages"]
    control.post(f"/v1/members/{ann['id']}/send", to={"user": account["id"]}, text="from elsewhere")
    await c.until(
        lambda: len(control.get(f"/v1/members/{ann['id']}/chat?user={account['id']}")["messages"]) == len(chat) + 2,
        "the bot's echo",
    )
    await c.soon(phone.connect(), "a reconnect")
    await phone.catch_up()
    c.same((await c.soon(inbox.get(), "what was missed")).raw_text, "echo: from elsewhere", "what was missed")


async def survives_a_reset(control, account, ann, phone, bot, inbox):
    opened = len(control.events("connection_opened"))
    control.post("/v1/faults", kind="reset")
    control.post(f"/v1/members/{ann['id']}/send", to={"user": account["id"]}, text="in the gap")
    # All three clients come back by themselves; what was said meanwhile shows at the next update.
    await c.until(lambda: len(control.events("connection_opened")) >= opened + 3, "reconnects")
    await c.soon(asyncio.gather(phone.get_me(), bot.get_me()), "calls on the new connections")
    await phone.send_message("alpha_bot", "after it")
    heard = [(await c.soon(inbox.get(), "an echo")).raw_text for _ in range(2)]
    c.same(sorted(heard), ["echo: after it", "echo: in the gap"], "both sides of the gap")


if __name__ == "__main__":
    c.run(main)
