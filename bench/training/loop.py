"""THE training loop: one for every family, every approach and for pretraining.

Wants a :class:`bench.transfer.Transfer`; takes gradient steps on its model until its budget is spent, and leaves the
weights that were best on validation in it.
"""

import math
import time
from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from bench.batches import rows_of
from bench.device import accelerator
from bench.errors import Diverged, NotApplicable
from bench.model import Batch, resting
from bench.training.averaging import Average
from bench.training.fitting import Fitting, parts
from bench.training.validation import Validation
from bench.training.validation import settle as settle
from bench.transfer import Transfer


def fit(transfer: Transfer, steps: int, stage: str = "") -> None:
    """Take ``steps`` gradient steps and keep the weights that are best on validation.

    A ``stage`` is what comes before the target or around it: it keeps its last weights, and is not validated.
    Raises :class:`Diverged` as soon as a loss is NaN or infinite, and :class:`OutOfMemory` where not even one row fits.
    """
    if steps > 0 and not transfer.pauses.has(steps, stage):
        Loop(transfer, steps, stage).run()
        transfer.pauses.after_call()


def gradients(transfer: Transfer, batch: Batch) -> dict[nn.Parameter, Tensor]:
    """Gradients of the model's own loss, without terms, for a batch that went through ``draw``; no weight changes.

    The model is in evaluation mode meanwhile: dropout would be noise here.
    """
    model, context = transfer.model, accelerator(transfer.budget)
    training, weights = model.training, transfer.trainable()
    model.eval()
    try:
        with context.autocast():
            loss = torch.stack([model.loss(batch, model(batch), player) for player in model.players()]).sum()
        found = torch.autograd.grad(loss, weights, allow_unused=True)
    finally:
        model.train(training)
    return {weight: value for weight, value in zip(weights, found, strict=True) if value is not None}


class Loop:
    """The state of one call of :func:`fit`."""

    def __init__(self, transfer: Transfer, steps: int, stage: str) -> None:
        self.transfer, self.steps, self.stage, self.budget = transfer, steps, stage, transfer.budget
        self.context = accelerator(self.budget)
        self.model = transfer.model
        if any(parameter.device != self.context.device for parameter in self.model.parameters()):
            self.model.to(self.context.device)  # costs more than to look, which counts where inner loops are short
        self.generator = torch.Generator().manual_seed(transfer.seed * 1_000_003 + transfer.taken)
        self.rows = transfer.encode(transfer.data.train)
        self.indices = transfer.sampler(self.rows, self.budget.batch_size, self.generator)
        self.fitting = Fitting(self.budget)
        self.validation = None if stage else Validation(transfer, self.fitting)
        self.norms = [  # and the weights that say whether they learn: those around them where they have none
            (norm, [*norm.parameters()] or [*around.parameters()])
            for around in self.model.modules()
            for norm in around.children()
            if isinstance(norm, _BatchNorm)
        ]
        self.trainable = transfer.trainable()
        learning = [player for player in self.model.players() if any(p.requires_grad for p in player.parameters())]
        if not learning:
            raise NotApplicable(f"nothing of {type(self.model).__name__} is left to train")
        self.optimizers = [(player, self._optimizer(player)) for player in learning]
        self.average = None
        if self.model.averaging and not stage:  # of what generates: a critic is left where it is
            generating = [p for p in self.model.players()[0].parameters() if p.requires_grad]
            self.average = Average(generating, self.model.averaging)
        times = 0 if stage else self.budget.validations
        self.validate_at = {round(steps * (k + 1) / times) for k in range(times)}
        self.unchecked: Tensor | None = None
        transfer.began = transfer.began or time.perf_counter()

    def run(self) -> None:
        self.model.train()
        if self.validation:
            self.transfer.validation = self.validation  # in place of an earlier loop's, whose copy takes memory
        before = self.transfer.pauses.begin(self)
        if not before:
            self._validate()
        for step in range(before, self.steps):
            if time.perf_counter() > self.transfer.deadline:
                break
            self._step(step / self.steps)
            if step + 1 in self.validate_at or self.context.device.type == "cpu":
                self.check()
            if step + 1 in self.validate_at:
                self._validate()
            self.transfer.progress(self.transfer.taken)
            self.transfer.pauses.after_step(self, step + 1)
        self.check()
        if self.validation and "validation_loss" not in self.transfer.curve[-1]:  # time was up
            self._validate()
        for parameter in self.trainable:  # as a schedule found them
            parameter.requires_grad_(True)
        if self.validation:
            self.validation.restore()
        self.model.eval()

    def _optimizer(self, player: nn.Module) -> torch.optim.Optimizer:
        """AdamW over what trains, one group per learning-rate factor."""
        groups: dict[float, list[nn.Parameter]] = {}
        for parameter in player.parameters():
            if parameter.requires_grad:
                groups.setdefault(self.transfer.rates.get(parameter, 1.0), []).append(parameter)
        listed = [{"params": parameters, "factor": factor} for factor, parameters in groups.items()]
        decay, rate = self.budget.weight_decay, self.budget.learning_rate
        optimizer = torch.optim.AdamW(listed, lr=rate, weight_decay=decay, betas=self.model.betas)
        # without a scaler accelerate's adds nothing, and looks for a package that is not there at each step
        return self.context.prepare_optimizer(optimizer) if self.context.scaler else optimizer

    def _step(self, progress: float) -> None:
        for hook in self.transfer.schedule:
            hook(progress)
        for norm, weights in self.norms:
            norm.train(any(weight.requires_grad for weight in weights))
        # the rate in the middle of the step, so that neither the first nor the last step is wasted on a rate of zero
        peak = self.budget.learning_rate * self.transfer.shape(progress + 0.5 / self.steps)
        batch = self.batch()
        learning = {weight for _, optimizer in self.optimizers for weight in _trained(optimizer)}
        for player, optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = peak * group["factor"]
            with resting(learning.difference(_trained(optimizer))):  # their gradients would be thrown away
                loss = self.backward(batch, player, optimizer)
            self.check()  # the step before: on a GPU this one is still under way, and waiting for it would cost
            if self.budget.clip:
                self.context.clip_grad_norm_(_trained(optimizer), self.budget.clip)
            optimizer.step()
        self.unchecked = loss
        if self.average:
            self.average.follow()
        self.transfer.count(self.stage, rows_of(batch))
        self.transfer.note(self.stage, learning_rate=peak)

    def batch(self) -> Batch:
        """The next training batch, transformed, with all its noise drawn, and its rows numbered: ``row``."""
        batch = self.model.collate(self.rows, next(self.indices))
        for transform in self.transfer.transforms:
            batch = transform(batch, self.generator)
        batch = self.model.draw(batch, self.generator)
        rows = torch.arange(rows_of(batch), device=self.context.device)
        return batch | {"row": rows}  # so that of a part it can be told which part it is

    def backward(self, batch: Batch, player: nn.Module, optimizer: torch.optim.Optimizer) -> Tensor:
        """Gradients of the whole batch, taken in parts that fit into memory; its loss."""

        def gradients() -> Tensor:
            optimizer.zero_grad()
            losses = [self._part(part, share, player) for part, share in parts(self.model, batch, self.fitting.micro)]
            return torch.stack(losses).sum()

        return self.fitting.compute(gradients)

    def _part(self, batch: Batch, share: float, player: nn.Module) -> Tensor:
        with self.context.autocast():
            outputs = self.model(batch)
            loss = self.model.loss(batch, outputs, player)
            for term in self.transfer.terms:
                loss = loss + term(batch, outputs)
        self.context.backward(loss * share)
        return loss.detach() * share

    def check(self) -> None:
        """Write the last step's loss into the curve; a NaN or an infinity ends the trial."""
        if self.unchecked is None:
            return
        loss, self.unchecked = float(self.unchecked), None
        row = next(row for row in reversed(self.transfer.curve) if "learning_rate" in row)
        row["train_loss"] = loss
        if not math.isfinite(loss):
            raise Diverged(f"the loss became {loss} at step {row['step']}; try a smaller learning rate")

    def _validate(self) -> None:
        """Compare the weights as they would be kept: their average, where there is one. A stage is not validated."""
        if self.validation:
            with self.average.in_place() if self.average else nullcontext():
                self.validation.compare()


def _trained(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]
