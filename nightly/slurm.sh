#!/usr/bin/env bash
#SBATCH --job-name=transferbench-nightly
#SBATCH --dependency=singleton
#SBATCH --cpus-per-task=4
#SBATCH --mem=8G
#SBATCH --time=02:00:00
#SBATCH --output=nightly-%j.log
# for a GPU, one # less:
##SBATCH --gres=gpu:1
#
# sbatch nightly/slurm.sh, in the checkout. Every night: scrontab -e, and `0 18 * * * sbatch -D ~/transferbench
# ~/transferbench/nightly/slurm.sh`. A job begins where it was submitted or, here, in -D. One of this name waits for the one
# before it (singleton).
set -euo pipefail
# shellcheck source=/dev/null
. .venv/bin/activate
export HF_HUB_OFFLINE=1 # nodes often have no network: `bench fetch nightly` on one that has it, for checkpoints of the hub
nightly/nightly.sh
