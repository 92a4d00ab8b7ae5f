provider "aws" {
  region     = "us-west-1"
  access_key = "000000000000"
  secret_key = "test"

  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

variables {
  name              = "shop-dev-application"
  region            = "us-west-1"
  account           = "000000000000"
  partition         = "aws"
  architecture      = "arm64"
  instance_type     = "t4g.micro"
  private_subnet_id = "subnet-private"
  public_subnet_id  = "subnet-public"
  security_group_id = "sg-1"
}

run "closed_by_default" {
  assert {
    condition     = !aws_instance.this.associate_public_ip_address && aws_instance.this.subnet_id == "subnet-private"
    error_message = "the instance is in the internet"
  }

  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.http) + length(aws_vpc_security_group_ingress_rule.ssh) == 0 && aws_instance.this.key_name != "mine"
    error_message = "there is a way in that nobody asked for"
  }

  assert {
    condition     = aws_instance.this.metadata_options[0].http_tokens == "required" && aws_instance.this.metadata_options[0].http_put_response_hop_limit == 1
    error_message = "credentials are given without a token"
  }

  assert {
    condition     = aws_instance.this.root_block_device[0].encrypted
    error_message = "the volume is in the clear"
  }

  assert {
    condition     = length([for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Sid]) == 2
    error_message = "the instance may do more than be reached by Session Manager"
  }
}

run "http_from_everywhere_and_ssh_from_the_office" {
  variables {
    http_cidrs = ["0.0.0.0/0"]
    ssh_cidrs  = ["203.0.113.0/24"]
    key_name   = "mine"
  }

  assert {
    condition     = aws_instance.this.associate_public_ip_address && aws_instance.this.subnet_id == "subnet-public"
    error_message = "nobody reaches the instance"
  }

  assert {
    condition     = [for rule in aws_vpc_security_group_ingress_rule.ssh : "${rule.cidr_ipv4} ${rule.from_port}"] == ["203.0.113.0/24 22"] && [for rule in aws_vpc_security_group_ingress_rule.http : "${rule.cidr_ipv4} ${rule.from_port}"] == ["0.0.0.0/0 80"]
    error_message = "other ports or places than those that were named are open"
  }
}

run "a_graviton_with_more_letters" {
  command = plan

  variables {
    instance_type = "m7gd.large"
  }

  assert {
    condition     = aws_instance.this.instance_type == "m7gd.large"
    error_message = "a type of the same processor is refused"
  }
}
