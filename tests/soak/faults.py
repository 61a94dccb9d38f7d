"""Faults of a machine, a plugin or a disk: each becomes a row or a line, and the rest goes on."""

from functools import partial

from tests.soak import named

FAULTS: named.Named = {
    "an exception, a segfault, NaN, a hang, the time limit, too little memory of the host, a killed worker": (
        "running/test_runner.py::test_every_end_becomes_a_row_and_the_others_go_on",
        "running/test_runner.py::test_what_libraries_say_is_in_the_cell_s_log_and_not_on_the_terminal",
    ),
    "a metric that raises, hangs, or scores what no table holds": (
        "running/test_runner.py::test_what_cannot_be_measured_keeps_its_scores",
        "running/test_runner.py::test_a_score_that_no_table_holds_is_its_metric_s_fault",
        "running/test_runner.py::test_items_that_no_test_split_has_are_their_metric_s_fault",
    ),
    "no progress for a limit": (
        "running/test_pool.py::test_what_makes_no_progress_is_ended_and_the_others_go_on",
        "running/test_pool.py::test_steps_and_the_processor_s_time_are_progress_and_standing_still_is_none",
    ),
    "a killed fork server": ("running/test_pool.py::test_a_fork_server_that_is_killed_is_started_again",),
    "a writer that dies while it writes": (
        "results/test_files.py::test_what_a_killed_writer_left_is_removed",
        "results/test_files.py::test_a_reader_sees_the_old_file_until_the_new_one_is_whole",
        "results/test_packed.py::test_whenever_it_is_killed_every_file_is_in_one_of_the_two_places",
        "test_cache.py::test_what_a_killed_process_left_is_taken_away",
    ),
    "a full disk": (
        "running/test_runner_refusals.py::test_a_disk_that_fills_up_ends_the_run_with_one_line",
        "running/test_preparation.py::test_a_disk_that_is_full_is_the_run_s_end",
        "results/test_files.py::test_a_full_disk_is_one_clear_line_whoever_notices_it",
        "test_cache.py::test_what_the_system_forbids",
    ),
    "a damaged cache entry": (
        "test_cache.py::test_what_was_damaged_is_made_anew_and_said",
        "soak/test_soak.py::test_a_damaged_base_model_a_clock_that_goes_backwards_and_another_file_system",
    ),
    "a damaged record": (
        "results/test_packed.py::test_a_record_that_was_changed_is_told_by_its_checksum",
        "commands/test_verify.py::test_a_flipped_bit_wherever_it_is",
        "running/test_runner.py::test_broken_files_of_a_run_are_made_anew",
    ),
    "a base model that is missing": (
        "running/test_preparation.py::test_what_one_model_lacks_is_its_own_fault",
        "running/test_preparation.py::test_what_was_scored_stays_where_a_model_is_gone_before_it_is_measured",
    ),
    "a plugin that fails on import": (
        "plugins/test_plugins.py::test_a_package_that_fails_when_looked_at",
        "plugins/test_installed.py::test_a_broken_distribution_is_named_and_everything_else_goes_on",
    ),
    "a clock that goes backwards": (
        "soak/test_soak.py::test_a_damaged_base_model_a_clock_that_goes_backwards_and_another_file_system",
    ),
    "a results folder that is read-only, or no folder": (
        "running/test_runner_refusals.py::test_a_results_folder_that_may_not_be_written_is_refused",
        "running/test_runner_refusals.py::test_a_results_folder_that_is_a_file_is_refused",
        "soak/test_soak.py::test_a_file_system_that_is_read_only_is_refused_in_one_line",
    ),
    "a results folder on another file system": (
        "soak/test_soak.py::test_a_damaged_base_model_a_clock_that_goes_backwards_and_another_file_system",
    ),
    "what may pass later, tried again; and a run that stops at the first failure": (
        "running/test_runner_stopped.py::test_what_may_pass_later_is_tried_so_often",
        "running/test_runner_stopped.py::test_the_first_that_fails_may_end_the_run",
    ),
    "two runs at once": (
        "running/test_runner_refusals.py::test_two_processes_do_not_work_on_one_run",
        "test_cache.py::test_several_processes_at_once_make_it_once",
    ),
}
WHOLE = len(FAULTS)
DONE = "a fault injected: it becomes a row or a line, and the rest goes on"

prepared = partial(named.each, FAULTS)
"""Each of the faults."""
