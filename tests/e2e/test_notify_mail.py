"""Mail: who gets it, what it says, and that nothing goes out in clear where TLS is asked."""

import email.utils
import re
import signal
import time

import pytest

from harness import behaviours as b, hiding
from harness.hiding import SECRET
from harness.mail import MailServer, SilentMailServer
from harness.runner import FAILED, GATE, OK, PARTIAL

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
ALL = ["success", "failure", "partial", "recovery"]


def mail(server, scheme="smtp", to="ops@example.org", **more):
    return {"mail": to, "server": f"{scheme}://localhost:{server.port}", "from": "weather@example.org", **more}


def notified(program, server, *addresses, when=ALL, **sections):
    return program.pipeline(server.url(), notify={"when": when, "to": list(addresses)}, **sections)


def test_a_success_is_told_in_plain_words_first(program, server):
    with MailServer() as post:
        result = program.run(notified(program, server, mail(post)))
        assert result.status == OK and result.stderr.count("notify") == 0, result.stderr
        told, = post.mails
    assert (told.sender, told.recipients) == ("weather@example.org", ["ops@example.org"])
    message = told.message
    assert message["Subject"] == "weather: 5 records written (2012-10-01 18:00 UTC)"
    assert message["From"] == "weather@example.org" and message["To"] == "ops@example.org"
    assert message["Message-ID"] == "<weather.20121001T180000Z.success.lambda-pipeline@example.org>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert abs(email.utils.parsedate_to_datetime(message["Date"]).timestamp() - time.time()) < 60
    text = told.part("plain")
    assert text.startswith("weather ran for 2012-10-01 18:00 UTC and wrote 5 records.\n\n  took ")
    assert "\n  records     5 written, 0 quarantined, 0 requests failed\n" in text
    assert f"\n  written to  {program.data_file()}\n" in text.replace("file://", "")
    html = told.part("html")
    assert "<strong>weather ran for 2012-10-01 18:00 UTC and wrote 5 records.</strong>" in html
    assert "<td>5 written, 0 quarantined, 0 requests failed</td>" in html
    assert program.record()["notifications"] == [
        {"to": "o…@example.org", "event": "success", "ok": True, "error": None}]


def test_a_failure_says_so_first_and_what_to_do(program, server):
    server.default = b.status(401, "Invalid API key")
    with MailServer() as post:
        file = notified(program, server, mail(post), source={"on_status": {401: "stop"}})
        assert program.run(file).status == FAILED
        told, = post.mails
    subject = told.message["Subject"]
    assert subject.startswith("weather FAILED: ") and "401" in subject and subject.endswith(" (2012-10-01 18:00 UTC)")
    assert len(subject) < 100
    text = told.part("plain")
    assert text.startswith("weather FAILED for 2012-10-01 18:00 UTC: ") and "Invalid API key" in text.splitlines()[0]
    assert f"lambda-pipeline run {file} --slot 2012-10-01T18:00:00Z\n" in text
    assert "\n  failed      1 time in a row\n  worked      never yet, as far as the records tell\n" in text
    record = program.record()
    assert record["status"] == "failed" and [told["ok"] for told in record["notifications"]] == [True]


def test_failures_in_a_row_are_counted_and_the_first_success_after_them_is_a_recovery(program, server):
    with MailServer() as post:
        file = notified(program, server, mail(post), when=["failure", "recovery"])
        assert program.run(file, slot="2012-10-01T12:00:00Z").status == OK
        server.default = b.status(500)
        for slot in ("2012-10-01T18:00:00Z", "2012-10-02T00:00:00Z", "2012-10-02T06:00:00Z"):
            assert program.run(file, slot=slot).status == FAILED
        server.default = b.ok()
        assert program.run(file, slot="2012-10-02T12:00:00Z").status == OK
        assert program.run(file, slot="2012-10-02T18:00:00Z").status == OK
    rows = [re.search(r"\n  failed      (.*)\n", told.part("plain")).group(1) for told in post.mails]
    assert rows == ["1 time in a row", "2 times in a row", "3 times in a row", "3 times in a row before that"]
    assert all("\n  worked      last for 2012-10-01 12:00 UTC\n" in told.part("plain") for told in post.mails)
    assert post.mails[-1].message["Subject"] == "weather works again: 5 records written (2012-10-02 12:00 UTC)"
    assert post.mails[-1].message["Message-ID"].startswith("<weather.20121002T120000Z.recovery.")


def test_the_same_slot_run_again_after_its_failure_is_a_recovery_once(program, server):
    with MailServer() as post:
        file = notified(program, server, mail(post), when=["recovery"])
        server.default = b.status(500)
        assert program.run(file).status == FAILED
        server.default = b.ok()
        assert [program.run(file).status for _ in range(2)] == [OK, OK]
        assert [told.message["Subject"] for told in post.mails] == [
            "weather works again: 5 records written (2012-10-01 18:00 UTC)"]
        assert "\n  failed      1 time in a row before that\n" in post.mails[0].part("plain")


def test_a_partial_run_names_what_failed(program, server):
    server.script("Portland", b.status(404, "city not found"))
    with MailServer() as post:
        file = notified(program, server, mail(post), source={"on_status": {404: "skip"}})
        assert program.run(file).status == PARTIAL
        told, = post.mails
    assert told.message["Subject"] == "weather: 4 records written, 1 request failed (2012-10-01 18:00 UTC)"
    assert "and wrote 4 records; 1 request of 5 failed." in told.part("plain")
    assert re.search(r'\nWhat failed:\n  Portland  404 "city not found"', told.part("plain"))
    assert f"\n              lambda-pipeline retry {file} --slot 2012-10-01T18:00:00Z\n" in told.part("plain")


def test_what_was_quarantined_is_told_with_its_reasons(program, server):
    columns = {"city": {"value": "{city}", "type": "string"},
               "humidity": {"from": "main.humidity", "type": "bigint", "in_range": [0, 100]}}
    with MailServer() as post:
        file = notified(program, server, mail(post), columns=columns, quality={"unique": ["city"]})
        server.script("Portland", b.weather_text("humidity", b"107"))
        assert program.run(file).status == OK
        told, = post.mails
    assert told.message["Subject"] == "weather: 4 records written, 1 quarantined (2012-10-01 18:00 UTC)"
    assert "\nWhat was quarantined:\n  1 row  humidity: in_range(0, 100)\n" in told.part("plain")
    assert "_quarantine/weather/" in told.part("plain")


def test_a_run_that_the_gate_refuses_is_told(program, server):
    with MailServer() as post:
        assert program.run(notified(program, server, mail(post), quality={"min_rows": 6})).status == GATE
        told, = post.mails
    assert told.message["Subject"] == \
        "weather FAILED: 5 good rows, min_rows wants 6; nothing was published (2012-10-01 18:00 UTC)"
    assert "look at the quarantined rows" in told.part("plain")


@pytest.mark.parametrize("when, mails", [("success", 0), ("partial", 0), ("failure", 1)])
def test_when_decides(program, server, when, mails):
    server.default = b.status(500)
    with MailServer() as post:
        program.run(notified(program, server, mail(post), when=[when]))
        assert len(post.mails) == mails
    assert len(program.record()["notifications"]) == mails


def test_several_get_it_and_one_that_is_refused_is_told_of(program, server):
    refuses = {"gone@example.org": "550 5.1.1 <gone@example.org>: no such user here"}
    with MailServer(refuses=refuses) as post:
        to = ["one@example.org", "gone@example.org", "two@example.org"]
        result = program.run(notified(program, server, mail(post, to=to)))
        assert post.mails[0].recipients == ["one@example.org", "two@example.org"]
    assert result.status == OK
    assert re.search(r"^! notify: .*550 5\.1\.1 .*no such user here; the others got the mail$", result.stderr, re.M)
    told, = program.record()["notifications"]
    assert not told["ok"] and told["to"] == "o…@example.org, g…@example.org, t…@example.org"
    assert "g…@example.org" in told["error"] and "gone@" not in told["error"] and "no such user" in told["error"]


def test_when_all_are_refused_nobody_got_it(program, server):
    with MailServer(refuses={"gone@example.org": "550 no such user"}) as post:
        result = program.run(notified(program, server, mail(post, to="gone@example.org")))
        assert post.mails == []
    assert result.status == OK and "nobody got the mail" in result.stderr


def test_a_server_that_refuses_the_message_is_quoted(program, server):
    with MailServer(refuses_data="554 5.7.1 looks like spam") as post:
        result = program.run(notified(program, server, mail(post)))
    assert result.status == OK and "554 5.7.1 looks like spam" in result.stderr


@pytest.mark.parametrize("tls, scheme", [("starttls", "smtp"), ("implicit", "smtps")])
def test_tls_and_a_password(program, server, authority, tls, scheme):
    with MailServer(authority.context("good"), tls=tls, users={"weather": SECRET}) as post:
        address = mail(post, scheme, user="weather", secret="env:SMTP_PASSWORD", tls="required")
        result = program.run(notified(program, server, address), "--verbose",
                             env={"SMTP_PASSWORD": SECRET, "SSL_CERT_FILE": authority.bundle})
        assert result.status == OK and "notify" not in result.stderr, result.stderr
        told, = post.mails
    assert told.secure and told.user == "weather"
    assert hiding.found_in(told.raw) == []
    assert hiding.search(program.folder)[1] == []


def test_a_wrong_password_is_told_and_shown_nowhere(program, server, authority):
    with MailServer(authority.context("good"), tls="implicit", users={"weather": "another"}) as post:
        address = mail(post, "smtps", user="weather", secret="env:SMTP_PASSWORD")
        result = program.run(notified(program, server, address),
                             env={"SMTP_PASSWORD": SECRET, "SSL_CERT_FILE": authority.bundle})
        assert post.mails == [] and post.users_tried
    assert result.status == OK and "refuses the user or the secret" in result.stderr
    assert hiding.found_in(result.stderr.encode()) == [] and hiding.search(program.folder)[1] == []


def test_without_the_tls_that_is_asked_nothing_is_sent(program, server):
    with MailServer(users={"weather": SECRET}) as post:
        address = mail(post, user="weather", secret="env:SMTP_PASSWORD", tls="required")
        result = program.run(notified(program, server, address), env={"SMTP_PASSWORD": SECRET})
        assert (post.mails, post.users_tried, post.commands) == ([], [], [])
    assert result.status == OK and "offers no TLS" in result.stderr and "nothing was sent" in result.stderr


@pytest.mark.parametrize("kind", ["expired", "wrong-name", "self-signed"])
@pytest.mark.parametrize("tls, scheme", [("starttls", "smtp"), ("implicit", "smtps")])
def test_a_certificate_that_is_not_trusted_gets_nothing(program, server, authority, kind, tls, scheme):
    with MailServer(authority.context(kind), tls=tls, users={"weather": SECRET}) as post:
        address = mail(post, scheme, user="weather", secret="env:SMTP_PASSWORD", tls="required")
        result = program.run(notified(program, server, address),
                             env={"SMTP_PASSWORD": SECRET, "SSL_CERT_FILE": authority.bundle})
        assert (post.mails, post.users_tried, post.commands) == ([], [], [])
    assert result.status == OK and "certificate" in result.stderr


def test_the_address_on_one_line_says_the_same(program, server, authority):
    with MailServer(authority.context("good"), tls="starttls", users={"weather": SECRET}) as post:
        address = (f"smtp://localhost:{post.port}?to=ops@example.org&to=a%2Bb@example.org&from=weather@example.org"
                   "&user=weather&secret=env:SMTP_PASSWORD&tls=required")
        result = program.run(notified(program, server, address),
                             env={"SMTP_PASSWORD": SECRET, "SSL_CERT_FILE": authority.bundle})
        assert result.status == OK and "notify" not in result.stderr, result.stderr
        assert post.mails[0].recipients == ["ops@example.org", "a+b@example.org"] and post.mails[0].secure


@pytest.mark.parametrize("silent", [b"220 mail.test ready\r\n", b""])
def test_a_server_that_hangs_costs_its_share_and_a_signal_ends_it(program, server, silent):
    with SilentMailServer(silent) as post:
        running = program.start("run", notified(program, server, mail(post)), "--slot", "2012-10-01T18:00:00Z")
        until = time.monotonic() + 20
        while not program.has_record() and time.monotonic() < until:
            time.sleep(0.02)
        time.sleep(0.3)
        record = program.record()
        assert record["status"] == "ok" and record["notifications"] == []  # written before anybody is told
        running.signal(signal.SIGTERM)
        result = running.finish(5)
    assert result.status == -signal.SIGTERM and len(program.rows()) == 5


def test_the_server_that_hangs_leaves_time_for_the_others(program, server):
    with SilentMailServer() as silent, MailServer() as post:
        began = time.monotonic()
        result = program.run(notified(program, server, mail(silent), mail(post)), timeout=60)
        assert 20 < time.monotonic() - began < 35
        assert len(post.mails) == 1
    assert result.status == OK and "has not taken the mail within" in result.stderr
    assert [told["ok"] for told in program.record()["notifications"]] == [False, True]


def test_nobody_at_the_port_is_a_warning(program, server, closed_port):
    address = {"mail": "ops@example.org", "server": f"smtp://127.0.0.1:{closed_port}", "from": "weather@example.org"}
    result = program.run(notified(program, server, address))
    assert result.status == OK and re.search(r"^! notify: ops|^! notify: o…@example.org: .*cannot be reached", result.stderr, re.M)
    assert len(program.rows()) == 5 and program.record()["status"] == "ok"


def test_text_from_elsewhere_comes_as_it_is_and_cannot_make_headers(program, server):
    server.default = b.status(500, "Zürich\r\nBcc: all@example.org\n.\n日本 <b>&")
    with MailServer() as post:
        address = mail(post, **{"from": "Wetter für alle <weather@example.org>"})
        assert program.run(notified(program, server, address)).status == FAILED
        told, = post.mails
    message = told.message
    assert message["Bcc"] is None and told.recipients == ["ops@example.org"]
    assert message["From"].addresses[0].display_name == "Wetter für alle"
    assert "Zürich" in message["Subject"] and len(message["Subject"]) < 100
    assert "日本 <b>&" in told.part("plain") and "日本 &lt;b&gt;&amp;" in told.part("html")
    assert all(len(line) <= 78 and line.isascii() for line in told.raw.split(b"\r\n"))


def test_a_locked_slot_tells_nobody(program, server):
    import fcntl
    with MailServer() as post:
        file = notified(program, server, mail(post))
        lock = program.lake / "_runs" / "weather" / ".20121001T180000Z.lock"
        lock.parent.mkdir(parents=True)
        with lock.open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            assert program.run(file).status == 5
        assert post.mails == []


def test_a_lake_that_cannot_be_written_is_told_although_there_is_no_record(program, server):
    program.lake.write_text("a file, not a folder")
    with MailServer() as post:
        result = program.run(notified(program, server, mail(post)))
        told, = post.mails
    assert result.status == FAILED and told.message["Subject"].startswith("weather FAILED: ")
