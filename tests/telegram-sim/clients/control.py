"""The simulator's control API, and sessions that lead the stock clients to it.

A session differs from a production one by the address and the auth key, and by nothing else: no client is patched. Every wait is
bounded by PATIENCE, so that a hang is a failure with a name.
"""

import asyncio
import io
import json
import os
import sys
import time
import traceback
import urllib.error
import urllib.request

from pyrogram import Client
from pyrogram.storage.sqlite_storage import SQLiteStorage
from telethon import TelegramClient
from telethon.crypto import AuthKey
from telethon.sessions import MemorySession

API_ID = 17
API_HASH = "hash"
# Far beyond what anything takes here; only a hang gets there.
PATIENCE = 20


class Refused(Exception):
    """The control API's own error."""


class Control:
    """One simulator."""

    def __init__(self, url):
        self.url = url
        self.dc = self.get("/v1/dc")

    def get(self, path):
        return self._request("GET", path, None)

    def post(self, path, **body):
        return self._request("POST", path, body)

    def put(self, path, **body):
        return self._request("PUT", path, body)

    def bot(self, name):
        return self.post("/v1/bots", name=name, username=f"{name}_bot")

    def member(self, first_name, username=None):
        body = {"first_name": first_name}
        if username is not None:
            body["username"] = username
        return self.post("/v1/members", **body)[0]

    def key(self):
        """A key that is not logged in, for a bot."""
        return bytes.fromhex(self.post("/v1/auth_keys")["auth_key"])

    def device(self, member):
        """A key that speaks for the member."""
        return bytes.fromhex(self.post(f"/v1/members/{member['id']}/login")["auth_key"])

    def events(self, *kinds):
        return self.get(f"/v1/events?kind={','.join(kinds)}")["events"]

    def _request(self, method, path, body):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise Refused(error.read().decode()) from error


def telethon(control, key, connection, **options):
    """A Telethon client over `key`; `connection` is one of its transports."""
    session = MemorySession()
    session.set_dc(control.dc["id"], control.dc["ip"], control.dc["port"])
    session.auth_key = AuthKey(key)
    return TelegramClient(session, API_ID, API_HASH, connection=connection, **options)


class SeededStorage(SQLiteStorage):
    """kurigram's own storage in memory, filled once as its file would be after an earlier run."""

    def __init__(self, control, key, user_id):
        super().__init__("simulator", workdir=None, in_memory=True)
        self._seed = (control.dc, key, user_id)
        self._kept = None

    async def open(self):
        if self._kept is not None:
            self.conn = self._kept
            return
        await super().open()
        dc, key, user_id = self._seed
        await self.dc_id(dc["id"])
        await self.server_address(dc["ip"])
        await self.port(dc["port"])
        await self.api_id(API_ID)
        await self.test_mode(False)
        await self.auth_key(key)
        # 0: nobody is logged in with this key yet.
        await self.user_id(user_id)
        await self.is_bot(False)
        await self.date(0)
        self._kept = self.conn

    async def close(self):
        """What was learned stays for the next run, as in a file."""


def kurigram(control, key, user_id=0, **options):
    """A kurigram client over its own default transport (Abridged). A member's id, or 0 and `bot_token`."""
    storage = SeededStorage(control, key, user_id)
    options.setdefault("no_updates", False)
    return Client("simulator", api_id=API_ID, api_hash=API_HASH, storage_engine=storage, **options)


def named(name, body):
    """A file as kurigram takes it from memory."""
    file = io.BytesIO(body)
    file.name = name
    return file


async def soon(awaitable, what):
    """Waits for an event, not for time; a hang fails with its name."""
    try:
        return await asyncio.wait_for(awaitable, PATIENCE)
    except asyncio.TimeoutError:
        raise AssertionError(f"{what}: nothing within {PATIENCE} s") from None


async def until(condition, what):
    """For what can only be looked at, such as the simulator's state over HTTP."""
    give_up = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > give_up:
            raise AssertionError(f"{what}: not within {PATIENCE} s")
        await asyncio.sleep(0.02)


def same(got, wanted, what):
    if got != wanted:
        raise AssertionError(f"{what}: {got!r} instead of {wanted!r}")


def run(main):
    """Runs a program with the command line's arguments. A failure ends the process at once: clients whose connection was never
    closed would keep an event loop from ending."""
    try:
        asyncio.new_event_loop().run_until_complete(main(*sys.argv[1:]))
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)
