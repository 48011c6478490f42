"""The secrets of the suite, every form they could leak in, and the search for them.

A file that is a test's own input and has to hold the secret ends in ".secret" and is not searched.
"""

import base64
import json
import re
import urllib.parse

SECRET = "s3cr3t/+key&with=odd chars"  # has to be encoded in a URL, holds what base64 and JSON treat differently
AWS_SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYTHESUITEKEY"  # of every key the suite hands out
AWS_TOKEN = "IQoJb3JpZ2luX2VjEXA//////////wEaCXVzLXdlc3QtMiJHMEUCIQD+tHeSuItE=="
SECRETS = (SECRET, AWS_SECRET, AWS_TOKEN)


def forms(secret=SECRET):
    """Byte strings none of which may be found in anything the program leaves behind."""
    raw = secret.encode()
    found = {raw, json.dumps(secret)[1:-1].encode(), secret.replace("/", "\\/").encode(),
             "".join(f"\\u{ord(letter):04x}" for letter in secret).encode()}
    for quoted in (urllib.parse.quote(secret, safe=""), urllib.parse.quote_plus(secret), urllib.parse.quote(secret)):
        found.add(quoted.encode())
        found.add(re.sub("%..", lambda hit: hit.group().lower(), quoted).encode())
    for shift in range(3):
        padded = b"\0" * shift + raw
        text = base64.b64encode(padded)
        first = -(-shift * 8 // 6)         # letters that also hold bits of what stands before
        last = len(padded) * 8 // 6        # those behind also hold bits of what follows
        found.add(text[first:last])
        found.add(text[first:last].translate(bytes.maketrans(b"+/", b"-_")))
    return sorted(found)


def found_in(data, secret=SECRET):
    return [form for form in forms(secret) if form in data]


_LONGEST = max(len(form) for secret in SECRETS for form in forms(secret))


def found_in_any(data):
    """Forms of any of the secrets."""
    return [form for secret in SECRETS for form in found_in(data, secret)]


def search(folder):
    """(number of files read, [(path, form)…]) over every file below folder, names included."""
    count, leaks = 0, []
    for path in sorted(folder.rglob("*")):
        leaks += [(path, form) for form in found_in_any(path.name.encode("utf-8", "surrogateescape"))]
        if path.is_symlink() or not path.is_file() or path.suffix == ".secret":
            continue
        count += 1
        with path.open("rb") as file:
            tail = b""
            while block := file.read(1 << 20):
                leaks += [(path, form) for form in found_in_any(tail + block)]
                tail = (tail + block)[-_LONGEST:]
    return count, leaks
