# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Calls Helm: reads one request in JSON from standard input, and writes one answer in JSON."""
import json
import re
import sys

import helm_python as helm


def objects(manifests):
    """The objects of rendered templates, in the order of their files."""
    for name, text in sorted(manifests.items()):
        if name.endswith(".txt"):
            continue
        for document in re.split(r"^---$", text, flags=re.MULTILINE):
            value = helm.values_from_yaml(document)
            if value:
                yield value


def rendered(chart, values, name, namespace):
    """What comes of values, or what is wrong with them."""
    try:
        chart.validate_schema(values)
        manifests = chart.render(values, name=name, namespace=namespace)
    except helm.HelmError as error:
        return {"error": str(error)}
    notes = [text for file, text in manifests.items() if file.endswith("NOTES.txt")]
    text = "---".join(text for file, text in sorted(manifests.items()) if not file.endswith(".txt") and text.strip())
    return {"ok": {"objects": list(objects(manifests)), "notes": "".join(notes), "text": "---" + text}}


def answer(request):
    chart, values, name, namespace = (request[key] for key in ("chart", "values", "name", "namespace"))
    if request["verb"] == "read":
        return helm.values_from_yaml(values)
    if request["verb"] == "lint":
        return helm.lint(chart, values, strict=True)
    if request["verb"] == "render":
        with helm.Chart.load(chart) as loaded:
            return [rendered(loaded, one, name, namespace) for one in values]
    with helm.Config(namespace=namespace) as config:
        if request["verb"] == "install":
            return config.install(chart, name, values, namespace=namespace, create_namespace=True)
        if request["verb"] == "upgrade":
            return config.upgrade(chart, name, values, namespace=namespace)
        if request["verb"] == "rollback":
            return config.rollback(name)
        if request["verb"] == "uninstall":
            return config.uninstall(name)
    raise ValueError(f"unknown verb {request['verb']}")


try:
    print(json.dumps({"ok": answer(json.load(sys.stdin))}))
except helm.HelmError as error:
    print(json.dumps({"error": str(error)}))
