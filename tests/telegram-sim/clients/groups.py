"""Two members in a supergroup and a basic group, one on Telethon, one on kurigram: both see everything, and what they missed.
Usage: groups.py CONTROL_URL"""

import asyncio

import control as c
from pyrogram import filters
from pyrogram.handlers import DeletedMessagesHandler, EditedMessageHandler, MessageHandler
from telethon import events
from telethon.network import ConnectionTcpAbridged


async def main(url):
    control = c.Control(url)
    ann, bob, cyril = control.member("Ann"), control.member("Bob"), control.member("Cyril")
    everybody = [ann["id"], bob["id"], cyril["id"]]
    group = control.post("/v1/channels", title="Group", kind="supergroup", members=everybody)
    basic = control.post("/v1/channels", title="Basic", kind="basic_group", members=everybody)
    anns = c.telethon(control, control.device(ann), ConnectionTcpAbridged, catch_up=True)
    bobs = c.kurigram(control, control.device(bob), bob["id"], skip_updates=False)
    heard = [listen_telethon(anns), listen_kurigram(bobs)]
    await c.soon(anns.connect(), "Telethon")
    await c.soon(bobs.start(), "kurigram")
    # A client that knows nothing of a chat yet leaves out what it hears of it.
    await anns.get_dialogs()
    async for _ in bobs.get_dialogs():
        pass
    for chat in ({"channel": group["id"]}, {"channel": basic["id"]}):
        await hears(control, cyril, chat, heard)
    await anns.disconnect()
    await bobs.stop(clear_handlers=False)
    say(control, cyril, {"channel": group["id"]}, "missed in the group")
    for member in (ann, bob):
        say(control, cyril, {"user": member["id"]}, "missed in private")
    await c.soon(anns.connect(), "Telethon again")
    await anns.catch_up()
    await c.soon(bobs.start(), "kurigram again")
    for queue in heard:
        missed = [await c.soon(queue.get(), "what was missed") for _ in range(2)]
        c.same(sorted(missed), [("new", "missed in private"), ("new", "missed in the group")], "what was missed")
    await anns.disconnect()
    await bobs.stop()
    c.same(control.events("unknown_method", "auth_key_duplicated"), [], "calls that nobody answers")


def say(control, member, chat, text):
    return control.post(f"/v1/members/{member['id']}/send", to=chat, text=text)["message_ids"]


async def hears(control, cyril, chat, heard):
    ids = say(control, cyril, chat, "hi all")
    await all_hear(heard, ("new", "hi all"))
    control.post(f"/v1/members/{cyril['id']}/edit", chat=chat, message_id=ids[0], text="hi all!")
    await all_hear(heard, ("edited", "hi all!"))
    control.post(f"/v1/members/{cyril['id']}/delete", chat=chat, message_ids=ids)
    await all_hear(heard, ("deleted", 1))


async def all_hear(heard, wanted):
    for queue in heard:
        c.same(await c.soon(queue.get(), str(wanted)), wanted, "what is heard")


def listen_telethon(client):
    queue = asyncio.Queue()
    client.add_event_handler(lambda event: queue.put(("new", event.raw_text)), events.NewMessage(incoming=True))
    client.add_event_handler(lambda event: queue.put(("edited", event.raw_text)), events.MessageEdited)
    client.add_event_handler(lambda event: queue.put(("deleted", len(event.deleted_ids))), events.MessageDeleted)
    return queue


def listen_kurigram(client):
    queue = asyncio.Queue()

    async def new(_, message):
        await queue.put(("new", message.text))

    async def edited(_, message):
        await queue.put(("edited", message.text))

    async def deleted(_, messages):
        await queue.put(("deleted", len(messages)))

    client.add_handler(MessageHandler(new, filters.incoming))
    client.add_handler(EditedMessageHandler(edited))
    client.add_handler(DeletedMessagesHandler(deleted))
    return queue


if __name__ == "__main__":
    c.run(main)
