# The application's host. It signs in to the database as a user of its own, with its role in the place of a password.

locals {
  # MySQL takes 32 characters.
  application = "app_${replace(var.environment, "-", "_")}"
}

module "application" {
  count  = var.instance ? 1 : 0
  source = "../../modules/instance"

  name                     = "${local.prefix}-application"
  region                   = var.region
  account                  = var.account
  partition                = module.environment.partition
  architecture             = var.architecture
  instance_type            = coalesce(var.instance_type, var.architecture == "arm64" ? "t4g.micro" : "t3.micro")
  private_subnet_id        = module.network.private_subnet_ids[0]
  public_subnet_id         = module.network.public_subnet_ids[0]
  security_group_id        = aws_security_group.this["application"].id
  http_cidrs               = var.http_cidrs
  ssh_cidrs                = var.ssh_cidrs
  key_name                 = var.key_name
  kms_key_arn              = var.kms_key_arn
  permissions_boundary_arn = module.environment.permissions_boundary_arn

  statements = [{
    sid       = "SignInToTheDatabase"
    actions   = ["rds-db:connect"]
    resources = ["arn:${module.environment.partition}:rds-db:${var.region}:${var.account}:dbuser:${module.customers.resource_id}/${local.application}"]
  }]
}
