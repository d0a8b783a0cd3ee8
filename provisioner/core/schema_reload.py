"""The part of the schema that says how a phone is told."""

from __future__ import annotations

from provisioner.core.schema_words import ARGUMENT, choice, duration, list_of, mapping, number, text

_WORDS = text("A word.", pattern=ARGUMENT)

MORE = mapping(
    "More than a command.",
    {
        "command": list_of(
            "The command, as a list of arguments. Default: the target's own.",
            _WORDS,
            minItems=1,
            sample=["/usr/bin/systemctl", "--user", "try-restart", "phone"],
        ),
        "timeout": duration("Time limit; then the command is ended with all that it started.", "30s", least="100ms"),
        "final_codes": list_of(
            "Exit codes after which it is not run again before the files or the command change. Any other "
            "failure is tried again, less and less often.",
            number("An exit code.", 1, 255),
            default=[],
            sample=[2],
        ),
        "first_retry": duration(
            "Wait after the first failure; it doubles each time, with full jitter.", "5s", least="100ms"
        ),
        "longest_retry": duration("The wait never gets longer than this.", "10m", least="100ms"),
        "running_command": list_of(
            "Command whose exit code 1 says that the phone does not run: then nobody needs to be told. "
            "Default: the target's own, where its command is used.",
            _WORDS,
            minItems=1,
            sample=["/usr/bin/pgrep", "--euid", "{user}", "--exact", "phone"],
        ),
        "busy_command": list_of(
            "Command whose exit code 0 says that the phone is in a call: then neither files nor command come, "
            "and the status says `pending`.",
            _WORDS,
            minItems=1,
            sample=["/usr/bin/test", "-e", "{home}/.in-a-call"],
        ),
        "busy_every": duration("How often a busy phone is asked again.", "5s", least="100ms"),
        "busy_limit": duration("A call puts things off for this long and no longer.", "10m"),
        "on_failure": choice(
            "`keep` leaves the new files there; `roll-back` brings those from before back and tells the phone "
            "again. What was rolled back is not brought again before it changes.",
            ["keep", "roll-back"],
            default="keep",
        ),
        "roll_back_after": number(
            "Failures in a row after which files are rolled back; a final code does so at once.",
            1,
            100,
            default=3,
        ),
    },
    minProperties=1,
)

RELOAD = {
    "description": "How the phone is told that its files changed: a command as a list of arguments (no shell is "
    "involved), `shipped` for the target's own, or a mapping that says more. `{folder}`, `{home}`, `{user}` and "
    "`{login}` are replaced in each argument; any other `{word}` without a `$` before it is a mistake. "
    "Default: nobody is told.",
    "x-effect": "none",
    "x-sample": {"command": ["/usr/bin/systemctl", "--user", "try-restart", "phone"], "timeout": "10s"},
    "oneOf": [
        choice("`shipped`: the target's own command.", ["shipped"]),
        list_of("The command.", _WORDS, minItems=1),
        MORE,
    ],
}
