# How the private subnets reach AWS: the bucket through a gateway, which costs nothing, the other services through an
# interface in each zone.

data "aws_region" "current" {}

locals {
  region = data.aws_region.current.id
}

resource "aws_vpc_endpoint" "s3" {
  vpc_id            = aws_vpc.this.id
  service_name      = "com.amazonaws.${local.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = [aws_route_table.private.id, aws_route_table.public.id]
  policy            = data.aws_iam_policy_document.s3.json

  tags = { Name = "${var.name}-s3" }
}

data "aws_iam_policy_document" "s3" {
  statement {
    sid = "TheseBuckets"

    actions = [
      "s3:AbortMultipartUpload",
      "s3:GetObject",
      "s3:GetObjectVersion",
      "s3:ListBucket",
      "s3:PutObject",
    ]

    resources = flatten([for bucket in var.bucket_arns : [bucket, "${bucket}/*"]])

    principals {
      type        = "*"
      identifiers = ["*"]
    }
  }

  # The repositories of Amazon Linux 2023 are buckets (Amazon Linux 2023 User Guide, "Managing packages and operating
  # system updates").
  statement {
    sid       = "PackagesOfAmazonLinux"
    actions   = ["s3:GetObject"]
    resources = ["arn:${var.partition}:s3:::al2023-repos-${local.region}-*/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }
  }
}

resource "aws_vpc_endpoint" "interface" {
  for_each = var.interface_endpoints

  vpc_id              = aws_vpc.this.id
  service_name        = "com.amazonaws.${local.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  subnet_ids          = values(aws_subnet.private)[*].id
  security_group_ids  = [aws_security_group.endpoints.id]
  private_dns_enabled = true
  policy              = data.aws_iam_policy_document.interface[each.key].json

  tags = { Name = "${var.name}-${each.key}" }
}

# Nobody of another account uses what this one pays for, nor carries data out by it.
data "aws_iam_policy_document" "interface" {
  for_each = var.interface_endpoints

  statement {
    sid       = "OnlyThisAccount"
    actions   = ["${each.key}:*"]
    resources = ["*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:PrincipalAccount"
      values   = [var.account]
    }
  }
}

resource "aws_security_group" "endpoints" {
  name        = "${var.name}-endpoints"
  description = "Interface endpoints of ${var.name}"
  vpc_id      = aws_vpc.this.id

  tags = { Name = "${var.name}-endpoints" }
}

resource "aws_vpc_security_group_ingress_rule" "endpoints" {
  security_group_id = aws_security_group.endpoints.id
  description       = "What is in the network"
  cidr_ipv4         = var.cidr
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443

  tags = { Name = "${var.name}-endpoints" }
}
