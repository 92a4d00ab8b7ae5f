resource "aws_cloudwatch_event_rule" "this" {
  name           = var.name
  description    = var.description
  event_bus_name = var.bus
  event_pattern  = var.pattern
}

resource "aws_cloudwatch_event_target" "this" {
  rule           = aws_cloudwatch_event_rule.this.name
  event_bus_name = aws_cloudwatch_event_rule.this.event_bus_name
  target_id      = "target"
  arn            = var.log_group == null ? var.target_arn : aws_cloudwatch_log_group.this[0].arn

  retry_policy {
    maximum_retry_attempts       = var.retries
    maximum_event_age_in_seconds = var.oldest_event
  }

  dead_letter_config {
    arn = var.dead_letter_arn
  }

  # Without it, EventBridge would give the first events to nobody.
  depends_on = [aws_cloudwatch_log_resource_policy.this]
}
