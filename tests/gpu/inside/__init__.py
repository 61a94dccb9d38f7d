"""What is called in processes of its own, which have torch: one module for each part that needs it."""
