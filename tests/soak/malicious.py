"""Input that wants to run code, to read or write elsewhere, or to fill the memory: none of it gets through."""

from functools import partial

from tests.soak import named

INPUTS: named.Named = {
    "pickles in checkpoints": (
        "checkpoints/test_inspection.py::test_weights_that_are_not_there",
        "suite/test_checkpoint.py::test_a_folder_with_pickles_only",
        "features/test_inception_v3.py::test_a_pickle_that_would_run_code_is_refused_and_does_not_run",
    ),
    "code of a checkpoint's own (auto_map)": (
        "families/test_refused_checkpoints.py::test_a_language_model_that_will_not_do",
    ),
    "custom_generate and chat templates": (
        "families/test_untrusted_checkpoints.py::test_a_way_to_generate_that_a_checkpoint_brings_is_not_used",
        "families/test_untrusted_checkpoints.py::test_a_chat_template_is_not_asked",
    ),
    "shard indices that point outside": (
        "families/test_untrusted_checkpoints.py::test_shards_are_looked_for_in_the_checkpoint_alone",
    ),
    "scripts in generated text, names, reasons and captions, in Chromium": (
        "report/test_page.py::test_what_models_and_users_write_is_text",
        "publication/test_folder.py::test_pages_hold_no_script_and_all_links_lead_somewhere",
        "soak/test_soak.py::test_nothing_runs_in_a_page",
    ),
    "../, absolute paths and links in names": (
        "report/test_damaged.py::test_a_run_has_the_name_of_its_folder_where_its_own_will_not_do",
        "report/test_damaged.py::test_without_run_json_the_cells_are_those_that_are_there",
        "results/test_packed.py::test_names_in_an_archive_cannot_be_those_of_records_or_lie_elsewhere",
        "results/test_imported.py",
        "suite/test_loading.py",
    ),
    "bombs of YAML aliases": ("suite/test_yaml_file.py::test_what_no_suite_can_be",),
    "bombs of pictures and gzip": (
        "datasets/test_image_folder.py::test_damaged_pictures_are_skipped_and_counted",
        "datasets/test_image_folder.py::test_a_picture_with_damaged_notes_is_read_and_counted",
        "datasets/test_decoding.py::test_a_bomb_is_damaged_before_it_fills_the_memory",
        "results/test_packed.py::test_a_flood_is_damage_and_what_follows_it_is_read",
    ),
    "headers of sounds that lie": (
        "datasets/test_audio_domains.py::test_a_file_that_ends_before_its_sound_does_is_damaged",
        "datasets/test_audio_domains.py::test_a_wav_from_a_pipe_says_no_length_and_is_whole",
    ),
    "formulas in cells of CSV": ("soak/test_soak.py::test_a_formula_is_a_text_in_what_a_spreadsheet_opens",),
    "an endpoint that redirects, floods, or is no endpoint": (
        "families/test_hosted_lm.py::test_a_server_that_misbehaves_ends_the_cell_with_one_line",
        "families/test_hosted_lm.py::test_an_address_that_will_not_do",
    ),
    "the key of an API in any file or line": (
        "families/test_hosted_lm.py::test_a_run_of_a_suite",
        "families/test_hosted_lm.py::test_the_key_is_in_no_line",
        "publication/test_folder.py::test_nothing_names_the_machine_its_user_or_a_secret",
    ),
}
WHOLE = len(INPUTS)
DONE = "malicious input: nothing of it runs, leaves its folder, or fills the memory"

prepared = partial(named.each, INPUTS)
"""Each kind of input."""
