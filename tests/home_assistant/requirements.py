"""Prints what must be installed so that Home Assistant starts with --skip-pip for these tests.

Home Assistant installs what an integration requires when it loads it. To be independent of a network at that time, this
reads the same lists beforehand: from the manifests of the integrations that the tests use, of those that are always
loaded, and of those that are imported at the start.
"""

import ast
import json
import pathlib
import sys

# What the configurations of the tests name.
USED = """api automation conversation cover homeassistant http input_boolean intent lock logger media_player mobile_app mqtt
mqtt_eventstream mqtt_statestream notify script template timer trace""".split()
# Imported by `mobile_app`, through `cloud` and `alexa`, and never loaded.
IMPORTED = ["assist_pipeline", "camera", "ffmpeg", "stream", "tts"]
# Imported by `analytics`, and in no manifest.
UNLISTED = ["aiohasupervisor"]
# Names of sets in bootstrap.py whose members are always loaded.
ALWAYS = {"DEFAULT_INTEGRATIONS", "CRITICAL_INTEGRATIONS"}

home = pathlib.Path(sys.argv[1])


def manifest(domain):
    file = home / "components" / domain / "manifest.json"
    return json.loads(file.read_text()) if file.exists() else {}


def from_bootstrap():
    """The integrations that are only imported, and those that are loaded."""
    imported, loaded = [], []
    for node in ast.walk(ast.parse((home / "bootstrap.py").read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module == "components":
            imported += [name.name for name in node.names]
        if isinstance(node, ast.Assign) and any(getattr(name, "id", None) in ALWAYS for name in node.targets):
            loaded += ast.literal_eval(node.value)
    return imported, loaded


imported, loaded = from_bootstrap()
requirements = set(UNLISTED)
for domain in imported + IMPORTED:
    requirements.update(manifest(domain).get("requirements", []))
waiting, seen = USED + loaded, set()
while waiting:
    domain = waiting.pop()
    if domain not in seen:
        seen.add(domain)
        requirements.update(manifest(domain).get("requirements", []))
        waiting += manifest(domain).get("dependencies", [])
print("\n".join(sorted(requirements)))
