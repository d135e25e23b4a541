"""The asset checks of every partition, as Dagster shows them; what they look at is a workflow's business."""
