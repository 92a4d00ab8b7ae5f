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
  name        = "shop-dev"
  account     = "000000000000"
  partition   = "aws"
  bucket_arns = ["arn:aws:s3:::files"]
}

run "closed_by_default" {
  assert {
    condition     = length(aws_nat_gateway.this) + length(aws_vpc_endpoint.interface) == 0 && !strcontains(jsonencode(aws_route_table.private), "0.0.0.0/0")
    error_message = "the private subnets lead somewhere that nobody asked for"
  }

  assert {
    condition     = length(aws_subnet.private) == 2 && alltrue([for subnet in aws_subnet.public : !subnet.map_public_ip_on_launch])
    error_message = "what is in a public subnet gets a public address by itself"
  }

  assert {
    condition     = length(distinct(concat(values(aws_subnet.private)[*].cidr_block, values(aws_subnet.public)[*].cidr_block))) == 4
    error_message = "subnets share addresses"
  }

  assert {
    condition     = flatten([for statement in jsondecode(aws_vpc_endpoint.s3.policy).Statement : statement.Resource if statement.Sid == "TheseBuckets"]) == ["arn:aws:s3:::files/*", "arn:aws:s3:::files"]
    error_message = "the gateway lets through to other buckets: ${aws_vpc_endpoint.s3.policy}"
  }

  assert {
    condition     = aws_flow_log.this.traffic_type == "ALL" && aws_flow_log.this.log_destination == aws_cloudwatch_log_group.flow_log.arn
    error_message = "the flow log leaves something out"
  }
}

run "endpoints_for_this_account" {
  variables {
    interface_endpoints = ["secretsmanager", "logs"]
  }

  assert {
    condition     = alltrue([for endpoint in aws_vpc_endpoint.interface : jsondecode(endpoint.policy).Statement[0].Condition.StringEquals["aws:PrincipalAccount"] == "000000000000"])
    error_message = "another account could use the endpoints"
  }

  assert {
    condition     = alltrue([for endpoint in aws_vpc_endpoint.interface : endpoint.private_dns_enabled && length(endpoint.subnet_ids) == 2])
    error_message = "a zone does not find the endpoints by the services' own names"
  }
}

run "a_third_zone_leaves_the_others" {
  command = plan

  variables {
    zones = 3
  }

  assert {
    condition     = aws_subnet.private["us-west-1a"].cidr_block == "10.42.0.0/20" && aws_subnet.private["us-west-1c"].cidr_block == "10.42.32.0/20"
    error_message = "the subnets that are there would be replaced"
  }
}

run "a_way_out_where_it_is_asked_for" {
  variables {
    nat_gateway = true
  }

  assert {
    condition     = aws_route.nat[0].nat_gateway_id == aws_nat_gateway.this[0].id && aws_route.nat[0].route_table_id == aws_route_table.private.id
    error_message = "the private subnets do not lead to the gateway"
  }
}
