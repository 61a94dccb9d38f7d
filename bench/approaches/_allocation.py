"""Methods of PEFT that give and take trainable weights as training goes on."""

from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import register_optimizer_step_post_hook

from bench.transfer import Transfer


def allocate_while_training(transfer: Transfer, tuner: Any) -> None:
    """Let a method look at its gradients after each step of the target, and share out its weights anew.

    Where its paper adds a term to the loss that keeps updates orthogonal, the term is added.
    """
    config = tuner.peft_config["default"]
    inner, step = transfer.fit, 0

    def after(optimizer: torch.optim.Optimizer, args: Any, options: Any) -> None:
        nonlocal step
        trained = {weight for group in optimizer.param_groups for weight in group["params"]}
        own = [weight for weight in tuner.model.parameters() if weight in trained]
        if not own:
            return
        for weight in own:
            if weight.grad is None:  # frozen for now by another approach
                weight.grad = torch.zeros_like(weight)
        step += 1
        tuner.update_and_allocate(step)

    def fit(steps: int) -> None:
        if step == 0 and hasattr(config, "total_step"):
            config.total_step = max(transfer.steps - transfer.taken, 1)
        hook = register_optimizer_step_post_hook(after)
        try:
            inner(steps)
        finally:
            hook.remove()

    transfer.fit = fit
    if weight := getattr(config, "orth_reg_weight", 0.0):
        transfer.terms.append(lambda batch, outputs: weight * _skew(tuner))


def _skew(tuner: Any) -> Tensor:
    """How far the factors of all updates are from orthogonal: the mean Frobenius norm of AAᵀ - I and BᵀB - I."""
    factors = [
        (name, weight) for name, weight in tuner.model.named_parameters() if "lora_A" in name or "lora_B" in name
    ]
    products = [weight @ weight.T if "lora_A" in name else weight.T @ weight for name, weight in factors]
    apart = [torch.linalg.matrix_norm(product - torch.eye(len(product)).to(product)) for product in products]
    return torch.stack(apart).mean()
