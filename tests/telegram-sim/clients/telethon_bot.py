"""Telethon as a bot, over each of its transports: what a bot does in a day. Usage: telethon_bot.py CONTROL_URL TRANSPORT"""

import asyncio

import control as c
from telethon import Button, TelegramClient, events
from telethon.errors import BotMethodInvalidError
from telethon.network import ConnectionTcpAbridged, ConnectionTcpFull, ConnectionTcpIntermediate

TRANSPORTS = {
    "full": ConnectionTcpFull,
    "abridged": ConnectionTcpAbridged,
    "intermediate": ConnectionTcpIntermediate,
}


async def main(url, transport):
    control = c.Control(url)
    account = control.bot("alpha")
    ann = control.member("Ann", "ann")
    group = control.post("/v1/channels", title="Group", kind="supergroup", members=[ann["id"], account["id"]])
    client = c.telethon(control, control.key(), TRANSPORTS[transport], catch_up=True)
    inbox = asyncio.Queue()
    client.add_event_handler(inbox.put, events.NewMessage(incoming=True))
    await c.soon(client.start(bot_token=account["token"]), "login")
    me = await client.get_me()
    c.same((me.id, me.bot, me.username), (account["id"], True, "alpha_bot"), "get_me")
    control.post(f"/v1/members/{ann['id']}/start", bot=account["id"], payload="abc")
    started = await c.soon(inbox.get(), "/start")
    c.same(started.raw_text, "/start abc", "/start")
    await writes(control, client, account, ann, started)
    await is_pressed(control, client, account, ann)
    await moves_files(control, client, account, ann, inbox)
    await looks_around(client, group, ann)
    await catches_up(control, client, account, ann, inbox)
    await client.disconnect()
    c.same(control.events("unknown_method", "auth_key_duplicated"), [], "calls that nobody answers")


def seen(control, account, ann):
    return control.get(f"/v1/members/{ann['id']}/chat?user={account['id']}")["messages"]


async def writes(control, client, account, ann, started):
    reply = await started.reply("hello **Ann**")
    last = seen(control, account, ann)[-1]
    c.same((last["text"], last["reply_to"]), ("hello Ann", 1), "a reply")
    await reply.edit("hello again")
    c.same(seen(control, account, ann)[-1]["text"], "hello again", "an edit")
    await reply.delete()
    c.same(len(seen(control, account, ann)), 1, "a deletion")


async def is_pressed(control, client, account, ann):
    async def answer(event):
        await event.answer(f"you said {event.data.decode()}", alert=True)
        await event.edit("done")

    client.add_event_handler(answer, events.CallbackQuery)
    buttons = [[Button.inline("Yes", b"yes"), Button.url("Help", "https://example.org")]]
    await client.send_message(ann["id"], "sure?", buttons=buttons)
    shown = seen(control, account, ann)[-1]
    press = {"chat": {"user": account["id"]}, "message_id": shown["id"], "data": "yes"}
    answered = await asyncio.to_thread(control.post, f"/v1/members/{ann['id']}/press", **press)
    c.same((answered["message"], answered["alert"]), ("you said yes", True), "an answer")
    await c.until(lambda: seen(control, account, ann)[-1]["text"] == "done", "an edit after the press")


async def moves_files(control, client, account, ann, inbox):
    # Not a multiple of any part size.
    body = bytes(at * 31 % 251 for at in range(700_001))
    sent = await client.send_file(ann["id"], body, attributes=[], caption="a file")
    shown = seen(control, account, ann)[-1]
    c.same((shown["text"], shown["document"]["size"]), ("a file", len(body)), "an upload")
    c.same(await client.download_media(sent, bytes), body, "its own file")
    document = {"name": "a.pdf", "mime": "application/pdf", "size": 300_001}
    control.post(f"/v1/members/{ann['id']}/send", to={"user": account["id"]}, document=document)
    received = await c.soon(inbox.get(), "a document")
    c.same(received.file.name, "a.pdf", "its name")
    c.same(len(await received.download_media(bytes)), 300_001, "a download")


async def looks_around(client: TelegramClient, group, ann):
    found = await client.get_entity("ann")
    c.same(found.id, ann["id"], "a username")
    chat = await client.get_entity(await client.get_input_entity(int(f"-100{group['id']}")))
    c.same(chat.title, "Group", "a channel")
    members = await client.get_participants(chat)
    c.same(ann["id"] in [member.id for member in members], True, "participants")
    for refused in (client.get_dialogs(limit=1), client.get_messages(ann["id"], limit=1)):
        try:
            await refused
        except BotMethodInvalidError:
            continue
        raise AssertionError("a bot may look around")


async def catches_up(control, client, account, ann, inbox):
    await client.disconnect()
    control.post(f"/v1/members/{ann['id']}/send", to={"user": account["id"]}, text="are you there?")
    await c.soon(client.connect(), "a reconnect")
    await client.catch_up()
    missed = await c.soon(inbox.get(), "what was missed")
    c.same(missed.raw_text, "are you there?", "what was missed")


if __name__ == "__main__":
    c.run(main)
