#!/usr/bin/env bash
# One night: run the suite anew, and hold it against the last run that was all right.
#
#     nightly.sh [SUITE]    in the folder that has results/ and reports/; `bench` is on the PATH
#
# The verdict is left as verdict.md, verdict.xml and verdict.html, the page. Exit code: 0 no regression, 1 a regression,
# 2 something cannot be used, 3 the run is not complete; of the first run, before which none was all right, 1 where cells
# did not end well.
set -euo pipefail
suite=${1:-nightly}

rm -f verdict.md verdict.xml verdict.html
bench doctor --suite "$suite" || true # for the log: what stops a run stops it by itself

ended=0
bench run "$suite" --new || ended=$?
if ((ended > 1)); then # 1: cells did not end well, which the comparison shows
    exit "$ended"
fi
code=0
bench compare "results/$suite" --against last-ok --first \
    --markdown verdict.md --junit verdict.xml --page verdict.html || code=$?
bench history "$suite" || true # reports/$suite/history.html
exit "$code"
