"""What people and schedulers type: `jobs` for spark-submit, `people` for the `chronotope` command."""
