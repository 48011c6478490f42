"""An SMTP server on loopback (aiosmtpd) that keeps what it is given, or misbehaves as told.

    with MailServer(authority.context("good"), tls="starttls", users={"me": "secret"}) as server:
        … f"smtp://localhost:{server.port}" …
        mail, = server.mails          # mail.sender, mail.recipients, mail.message (email.message.EmailMessage)
        server.users_tried            # whoever authenticated, or tried to

tls: None, "starttls", or "implicit". refuses: {recipient: reply}. refuses_data: the reply to the message itself.
A server that only greets, and then says nothing more: SilentMailServer.
"""

import asyncio
import email
import email.policy
import socket
import threading
from dataclasses import dataclass

from aiosmtpd.smtp import SMTP, AuthResult


@dataclass
class Mail:
    sender: str
    recipients: list
    raw: bytes
    secure: bool      # it came through TLS
    user: str         # who had authenticated, "" for nobody

    @property
    def message(self):
        return email.message_from_bytes(self.raw, policy=email.policy.default)

    def part(self, kind):
        return self.message.get_body((kind,)).get_content().replace("\r\n", "\n")


class MailServer:
    def __init__(self, context=None, tls=None, users=None, refuses=None, refuses_data=None):
        self._context, self._tls, self._users = context, tls, users
        self._refuses, self._refuses_data = refuses or {}, refuses_data
        self.mails, self.users_tried, self.commands = [], [], []

    def __enter__(self):
        self._loop = asyncio.new_event_loop()
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        self._server = self._loop.run_until_complete(self._loop.create_server(
            self._session, sock=listener, ssl=self._context if self._tls == "implicit" else None))
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        async def stop():
            self._server.close()
            await self._server.wait_closed()
            others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
        asyncio.run_coroutine_threadsafe(stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _session(self):
        return SMTP(self, hostname="mail.test", loop=self._loop,
                    tls_context=self._context if self._tls == "starttls" else None,
                    require_starttls=False, authenticator=self._authenticate if self._users else None,
                    auth_required=bool(self._users), auth_require_tls=self._tls == "starttls")

    # What aiosmtpd asks of a handler.

    def _authenticate(self, server, session, envelope, mechanism, data):
        user, secret = data.login.decode(), data.password.decode()
        self.users_tried.append(user)
        if self._users.get(user) != secret:
            return AuthResult(success=False, handled=False)
        session.lp_user = user
        return AuthResult(success=True)

    async def handle_MAIL(self, server, session, envelope, address, options):
        self.commands.append("MAIL")
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        self.commands.append("RCPT")
        if address in self._refuses:
            return self._refuses[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if self._refuses_data:
            return self._refuses_data
        secure = self._tls == "implicit" or session.ssl is not None
        self.mails.append(Mail(envelope.mail_from, list(envelope.rcpt_tos), envelope.original_content, secure,
                               getattr(session, "lp_user", "")))
        return "250 taken"


class SilentMailServer:
    """Greets (or not even that) and then says nothing, until the other side goes."""

    def __init__(self, greeting=b"220 mail.test ready\r\n"):
        self._greeting, self._open = greeting, []
        self.heard = b""

    def __enter__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            connection.close()
        self._thread.join(5)

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            connection.sendall(self._greeting)
            threading.Thread(target=self._listen, args=(connection,), daemon=True).start()

    def _listen(self, connection):
        try:
            while data := connection.recv(65536):
                self.heard += data
        except OSError:
            pass
