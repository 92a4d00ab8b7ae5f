# Where function, database and instance meet, and what each of them reaches: the database at its port, AWS by HTTPS
# through the network's own endpoints, and nothing else.

module "network" {
  source = "../../modules/network"

  name                     = "${local.prefix}-${local.stack}"
  account                  = var.account
  partition                = module.environment.partition
  cidr                     = var.cidr
  zones                    = var.zones
  nat_gateway              = var.nat_gateway
  bucket_arns              = [local.bucket_arn]
  log_kms_key_arn          = var.kms_key_arn
  permissions_boundary_arn = module.environment.permissions_boundary_arn

  # The function fetches its password and goes on in another invocation; the instance is reached by Session Manager.
  interface_endpoints = concat(["lambda", "logs", "secretsmanager"], var.instance ? ["ssm", "ssmmessages"] : [])
}

locals {
  clients = concat(["csv-importer"], var.instance ? ["application"] : [])
}

resource "aws_security_group" "this" {
  for_each = toset(local.clients)

  name        = "${local.prefix}-${each.key}"
  description = "${each.key} of ${local.prefix} ${local.stack}"
  vpc_id      = module.network.vpc_id

  tags = { Name = "${local.prefix}-${each.key}" }
}

resource "aws_vpc_security_group_egress_rule" "endpoints" {
  for_each = aws_security_group.this

  security_group_id            = each.value.id
  description                  = "To the endpoints of AWS"
  referenced_security_group_id = module.network.endpoints_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443

  tags = { Name = "${local.prefix}-${each.key}-to-endpoints" }
}

resource "aws_vpc_security_group_egress_rule" "buckets" {
  for_each = aws_security_group.this

  security_group_id = each.value.id
  description       = "To the buckets that the endpoint lets through"
  prefix_list_id    = module.network.s3_prefix_list_id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443

  tags = { Name = "${local.prefix}-${each.key}-to-buckets" }
}

# Where there is a way to the internet, the application may go there, by HTTPS. The function has nothing to do there.
resource "aws_vpc_security_group_egress_rule" "internet" {
  for_each = { for name, group in aws_security_group.this : name => group if var.nat_gateway && name == "application" }

  security_group_id = each.value.id
  description       = "To the internet"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443

  tags = { Name = "${local.prefix}-${each.key}-to-internet" }
}
