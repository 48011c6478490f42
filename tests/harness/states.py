"""Amazon's States Language, as far as our state machine goes, with the limit that AWS has on what a state is given and gives.

    walk(definition, {}, call, started="2012-10-01T18:00:31.118Z")    what the machine ends with; call(event) is the function's
"""

import json
import re

LIMIT = 256 << 10       # bytes of JSON: States.DataLimitExceeded


class Failed(Exception):
    """The machine ended so: error, cause."""


class TooLarge(Exception):
    """What a state got or gave is larger than AWS lets it be."""


def bounded(value, what):
    size = len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())
    if size > LIMIT:
        raise TooLarge(f"{what}: {size} bytes")
    return value


class _Reader:
    """An expression behind a key that ends in .$: a path, or a function of such and of texts and numbers."""

    FUNCTIONS = {
        "Format": lambda form, *them: form.replace("{}", "%s") % them,
        "ArrayRange": lambda first, last, step: list(range(first, last + 1, step)),
        "ArrayGetItem": lambda array, index: array[index],
        "StringSplit": lambda text, by: [part for part in text.split(by) if part],
        "JsonToString": lambda value: json.dumps(value, separators=(",", ":")),
    }

    def __init__(self, text, state, context):
        self.tokens = re.findall(r"'(?:[^'\\]|\\.)*'|States\.\w+|\$\$?[\w.]*|\d+|[(),]|\S", text)
        self.state, self.context = state, context

    def read(self):
        value = self._value()
        assert not self.tokens, self.tokens
        return value

    def _value(self):
        token = self.tokens.pop(0)
        if token[0] == "'":
            return token[1:-1]
        if token.isdigit():
            return int(token)
        if token[0] == "$":
            return path(token, self.state, self.context)
        function, arguments = self.FUNCTIONS[token.removeprefix("States.")], []
        assert self.tokens.pop(0) == "("
        while self.tokens[0] != ")":
            arguments.append(self._value())
            if self.tokens[0] == ",":
                self.tokens.pop(0)
        self.tokens.pop(0)
        return function(*arguments)


def path(text, state, context=None):
    value = context if text.startswith("$$") else state
    for name in filter(None, text.lstrip("$").split(".")):
        value = value[name]
    return value


def fill(parameters, state, context):
    return {key.removesuffix(".$"): _Reader(it, state, context).read() if key.endswith(".$") else it
            for key, it in parameters.items()}


def _holds(choice, state):
    try:
        value = path(choice["Variable"], state)
    except (KeyError, TypeError):
        value, there = None, False
    else:
        there = True
    if "IsPresent" in choice:
        return there == choice["IsPresent"]
    return there and value == choice["StringEquals"]


def _result(step, given, state, context, call):
    if step["Type"] == "Pass":
        return given
    if step["Type"] == "Task":
        return bounded(call(given), "the result of a task")
    assert step["Type"] == "Map" and step["ToleratedFailurePercentage"] == 100
    results = []
    for item in path(step["ItemsPath"], state):
        within = {**context, "Map": {"Item": {"Value": item}}}
        event = bounded(fill(step["ItemSelector"], state, within), "an item")
        results.append(walk(step["ItemProcessor"], event, call, context=within))
    return bounded(results, "the result of a map")


def walk(machine, state, call, started="2012-10-01T18:00:00.000Z", context=None):
    context = context or {"Execution": {"StartTime": started}}
    name = machine["StartAt"]
    while True:
        step = machine["States"][name]
        bounded(state, f"the input of {name}")
        if step["Type"] == "Fail":
            raise Failed(step["Error"], step["Cause"])
        if step["Type"] == "Choice":
            name = next((it["Next"] for it in step["Choices"] if _holds(it, state)), step["Default"])
            continue
        given = fill(step["Parameters"], state, context) if "Parameters" in step else state
        result = _result(step, given, state, context, call)
        if step.get("ResultPath", "$") is not None:
            state = result
        if step.get("OutputPath", "$") is None:
            state = {}
        bounded(state, f"the output of {name}")
        if step.get("End"):
            return state
        name = step["Next"]
