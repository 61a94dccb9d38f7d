"""What a checkpoint is, as far as its files tell, and how one comes from the hub. No torch."""
