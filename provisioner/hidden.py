"""Files that root can read, and the user whom the service runs as cannot: to root who checks, all would seem right."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Iterator

from provisioner.core.password_source import FromFile
from provisioner.core.problem import Place, Problem
from provisioner.edge.catalog import MANIFEST_NAME
from provisioner.edge.configuration import AGENTS, MAIN
from provisioner.edge.readable import unreadable_by
from provisioner.places import Places
from provisioner.site import Site


def hidden(site: Site, places: Places, service: int | None) -> Iterator[Problem]:
    """Each of them, as root finds it; nothing for others, who meet it themselves. ``service`` is the user that the
    service runs as, None where there is none yet."""
    if os.geteuid() != 0 or not service:
        return
    try:
        user = pwd.getpwuid(service)
        group = grp.getgrgid(user.pw_gid).gr_name
    except KeyError:
        return
    for path in unreadable_by(user, _read_by_the_service(site, places)):
        mode = 750 if os.path.isdir(path) else 640  # noqa: PTH112
        fix = f"chgrp {group} {path}; chmod {mode} {path}; the folders above must let it pass too"
        yield Problem(Place(path), f"root can read this, but not {user.pw_name}, whom the service runs as", fix)


def _read_by_the_service(site: Site, places: Places) -> Iterator[str]:
    folder = places.config / AGENTS
    yield from map(str, (places.config, places.config / MAIN, folder, *sorted(folder.glob("[!.#]*.yaml"))))
    yield str(places.site_templates)
    for kind in ("[!.]*/", f"[!.]*/{MANIFEST_NAME}", "[!.]*/*.j2"):
        yield from map(str, sorted(places.site_templates.glob(kind)))
    agents = (served.wanted.agent.password for served in site.served.values())
    for source in (*agents, *(server.password for server in site.settings.platform.turn)):
        if isinstance(source, FromFile):
            yield str(places.root / source.path.lstrip("/"))
    if site.settings.platform.ca_file:
        yield site.settings.platform.ca_file
