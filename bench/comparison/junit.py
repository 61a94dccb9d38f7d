"""A comparison as JUnit's XML, which continuous integration shows.

A test case is a row, a failure is where something is worse, an error where cells have not finished.
"""

import re
from xml.etree import ElementTree

from bench.comparison import told
from bench.comparison.sides import Side
from bench.comparison.verdicts import UNKNOWN, WORSE, Findings
from bench.words import counted

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(findings: Findings, base: Side, new: Side) -> str:
    """One suite: rows, metrics as wholes, and cells that ended otherwise."""
    suite = ElementTree.Element("testsuite", name=_safe(f"{new.name} against {base.name}"))
    for one in told.records(findings.rows):
        case = _case(suite, f"{told.title(one)}, {told.place(one)}", one["metric"])
        if one["verdict"] == WORSE:
            _failure(case, f"{one['metric']}: {told.change(one)}")
        elif one["verdict"] == UNKNOWN:
            ElementTree.SubElement(case, "skipped", message=_safe(f"cannot tell: {one['reason']}"))
    for drift in findings.drifts:
        case = _case(suite, "all cells together", drift.metric)
        if drift.verdict == WORSE:
            _failure(case, told.drift(drift))
    for ended in findings.ended:
        case = _case(suite, "how cells ended", ended.cell)
        if not ended.better:
            _failure(case, ended.reason)
    for cells, which in ((findings.gone, "earlier"), (findings.added, "later")):
        for cell in cells:
            case = _case(suite, "how cells ended", cell)
            ElementTree.SubElement(case, "skipped", message=f"only in the {which} one")
    if findings.unfinished:
        case = _case(suite, "how cells ended", "all have finished")
        ElementTree.SubElement(case, "error", message=f"{counted(findings.unfinished, 'cell')} not finished")
    for name, total in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        suite.set(total, str(len(suite.findall(f"testcase/{name}"))))
    suite.set("tests", str(len(suite)))
    ElementTree.indent(suite)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ElementTree.tostring(suite, encoding="unicode")}\n'


def _case(suite: ElementTree.Element, place: str, name: str) -> ElementTree.Element:
    return ElementTree.SubElement(suite, "testcase", classname=_safe(place), name=_safe(name), time="0")


def _failure(case: ElementTree.Element, message: str) -> None:
    ElementTree.SubElement(case, "failure", message=_safe(message))


def _safe(text: str) -> str:
    """A text without characters that XML cannot hold."""
    return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", text)
