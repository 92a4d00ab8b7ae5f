data "aws_partition" "current" {}

locals {
  partition = data.aws_partition.current.partition
  prefix    = "${var.project}-${var.environment}"
  boundary  = "arn:${local.partition}:iam::${var.account}:policy/${local.prefix}-boundary"
}
