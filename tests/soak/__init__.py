"""What a harness must survive, done to it many times over: ``python -m tests.soak``, ``tox -e soak``.

Each part is a module with ``WHOLE``, how often it is done in a whole soak, ``DONE``, what is done, and ``attempt``: one
of them, of a number and the seed alone. What came of each goes into a log, a line of JSON each; numbers that are in the
log are not done again, so that a soak that was stopped goes on, and several sessions share one.
"""
