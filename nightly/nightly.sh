#!/usr/bin/env bash
# One night: run the suite anew, and hold it against the last run that was all right.
#
#     nightly.sh [SUITE]    in the folder that has results/ and reports/; `bench` is on the PATH
#
# The verdict is left as verdict.md, verdict.xml and verdict.html, the page. Exit code: 0 no regression, 1 a regression,
# 2 something cannot be used, 3 the run is not complete; of the first run, which has nothing to be compared with, 1 where
# cells did not end well.
set -euo pipefail
suite=${1:-nightly}

rm -f verdict.md verdict.xml verdict.html
bench doctor --suite "$suite" || true # for the log: what stops a run stops it by itself

earlier=$(compgen -G "results/$suite/*/run.json" || true)
ended=0
bench run "$suite" --new || ended=$?
if ((ended > 1)); then # 1: cells did not end well, which the comparison shows
    exit "$ended"
fi
if [[ -z $earlier ]]; then
    echo "nightly: the first run of $suite; the next night is held against it"
    exit "$ended"
fi
bench compare "results/$suite" --against last-ok --markdown verdict.md --junit verdict.xml --page verdict.html
