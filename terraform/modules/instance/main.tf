# The newest Amazon Linux when the instance is made. A newer one later does not replace it.
data "aws_ssm_parameter" "image" {
  name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-${var.architecture}"
}

locals {
  is_public = length(var.http_cidrs) + length(var.ssh_cidrs) > 0
}

resource "aws_instance" "this" {
  # An image is no secret.
  ami           = data.aws_ssm_parameter.image.insecure_value
  instance_type = var.instance_type

  subnet_id                   = local.is_public ? var.public_subnet_id : var.private_subnet_id
  associate_public_ip_address = local.is_public
  vpc_security_group_ids      = [var.security_group_id]
  iam_instance_profile        = aws_iam_instance_profile.this.name
  key_name                    = var.key_name

  # Credentials are given to who can ask for a token, and not to what only passes requests on.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  root_block_device {
    encrypted   = true
    kms_key_id  = var.kms_key_arn
    volume_type = "gp3"
  }

  tags = { Name = var.name }

  lifecycle {
    ignore_changes = [ami]

    precondition {
      condition     = length(var.ssh_cidrs) == 0 || var.key_name != null
      error_message = "SSH to ${var.name} is opened, and no key pair signs in there: name one as key_name, or leave ssh_cidrs empty and use Session Manager."
    }
  }
}

resource "aws_vpc_security_group_ingress_rule" "http" {
  for_each = toset(var.http_cidrs)

  security_group_id = var.security_group_id
  description       = "HTTP from ${each.key}"
  cidr_ipv4         = each.key
  ip_protocol       = "tcp"
  from_port         = 80
  to_port           = 80

  tags = { Name = "${var.name}-http" }
}

resource "aws_vpc_security_group_ingress_rule" "ssh" {
  for_each = toset(var.ssh_cidrs)

  security_group_id = var.security_group_id
  description       = "SSH from ${each.key}"
  cidr_ipv4         = each.key
  ip_protocol       = "tcp"
  from_port         = 22
  to_port           = 22

  tags = { Name = "${var.name}-ssh" }
}
