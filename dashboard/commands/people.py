"""`lensvet people`: who may sign in, and as what."""

import sys
from argparse import SUPPRESS, ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from data.people_store import PeopleStore

HELP = "who may sign in to a campaign, and as what"
EXAMPLES = """\
  lensvet people --campaign q1                                 who is there
  lensvet people add "Ada Lovelace" --role admin --campaign q1    prints the way to an invitation
  lensvet people role "Ada Lovelace" lead --campaign q1         none shuts the door
  lensvet people invite "Ada Lovelace" --campaign q1            a new invitation; the earlier one ends
  lensvet people password "Ada Lovelace" --campaign q1          reads the password, one line of standard input

  Without --campaign the folder that you are in is meant.
"""
_BY = "lensvet people"


def add_arguments(parser: ArgumentParser) -> None:
    from data.people import NOBODY, ROLES

    actions = parser.add_subparsers(dest="action", metavar="ACTION", parser_class=type(parser))
    adding = actions.add_parser("add", help="let somebody in")
    adding.add_argument("name", metavar="NAME")
    adding.add_argument("--role", choices=tuple(ROLES), required=True)
    changing = actions.add_parser("role", help="give somebody another role")
    changing.add_argument("name", metavar="NAME")
    changing.add_argument("role", choices=(*ROLES, NOBODY))
    inviting = actions.add_parser("invite", help="a new way to choose a password")
    inviting.add_argument("name", metavar="NAME")
    setting = actions.add_parser("password", help="set a password, read from standard input")
    setting.add_argument("name", metavar="NAME")
    listing = actions.add_parser("list", help="who is there")
    for one in (adding, changing, inviting, setting, listing):
        # Left out here, what was said before the action stays.
        _add_campaign(one, default=SUPPRESS)
        one.add_argument(
            "--debug", action="store_true", default=SUPPRESS, help="show the traceback of an error"
        )
    _add_campaign(parser, default=Path())


def _add_campaign(parser: ArgumentParser, *, default: Path | str) -> None:
    parser.add_argument(
        "--campaign",
        type=Path,
        default=default,
        metavar="CAMPAIGN",
        help="the campaign folder (default: this one)",
    )


def run(arguments: Namespace) -> None:
    from data.campaign import open_campaign
    from data.label_store import LabelStore
    from data.people_store import PeopleStore

    campaign = open_campaign(arguments.campaign)
    with LabelStore.open(campaign.database_url) as labels:
        _ACTIONS[arguments.action or "list"](PeopleStore(labels.engine), arguments)


def _add(people: "PeopleStore", arguments: Namespace) -> None:
    person = people.add(arguments.name, arguments.role, by=_BY)
    print(f"{person.name} is {person.role}.")
    _print_invitation(people, person.account)


def _role(people: "PeopleStore", arguments: Namespace) -> None:
    from data.people import account_of

    person = people.change_role(account_of(arguments.name), arguments.role, by=_BY)
    print(f"{person.name} is {person.role}, and signed out of every browser.")


def _invite(people: "PeopleStore", arguments: Namespace) -> None:
    from data.people import account_of

    _print_invitation(people, account_of(arguments.name))


def _password(people: "PeopleStore", arguments: Namespace) -> None:
    from dashboard.passwords import hashed
    from data.people import account_of

    password = sys.stdin.readline().rstrip("\r\n")
    people.set_password(account_of(arguments.name), hashed(password, name=arguments.name), by=_BY)
    print(f"{arguments.name} has a new password, and is signed out of every browser.")


def _list(people: "PeopleStore", arguments: Namespace) -> None:
    everybody = people.everybody()
    if not everybody:
        print("Nobody can sign in yet: lensvet people add NAME --role admin")
    for person in everybody:
        print(f"{person.role:<10} {person.name}")


def _print_invitation(people: "PeopleStore", account: str) -> None:
    from data.people_store import INVITATION_DAYS

    token = people.invite(account, by=_BY)
    print(f"Send them the server's address followed by this; it works once, within {INVITATION_DAYS} days:")
    print(f"/join/{token}")


_ACTIONS = {"add": _add, "role": _role, "invite": _invite, "password": _password, "list": _list}
