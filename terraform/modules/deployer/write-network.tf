# Making, changing and removing networks and instances. Hardly anything of EC2 has a name: what is made has to bring the
# environment's tags, and what is changed has to have them.

locals {
  of_ec2 = "arn:${var.partition}:ec2:${local.regional}:"

  made_with_tags = {
    AllocateAddress               = "elastic-ip"
    AuthorizeSecurityGroupEgress  = "security-group-rule"
    AuthorizeSecurityGroupIngress = "security-group-rule"
    CreateFlowLogs                = "vpc-flow-log"
    CreateInternetGateway         = "internet-gateway"
    CreateNatGateway              = "natgateway"
    CreateRouteTable              = "route-table"
    CreateSecurityGroup           = "security-group"
    CreateSubnet                  = "subnet"
    CreateVpc                     = "vpc"
    CreateVpcEndpoint             = "vpc-endpoint"
    RunInstances                  = "instance"
  }
}

data "aws_iam_policy_document" "write_network" {
  statement {
    sid       = "MakeWithTags"
    actions   = [for action in keys(local.made_with_tags) : "ec2:${action}"]
    resources = [for type in distinct(values(local.made_with_tags)) : "${local.of_ec2}${type}/*"]

    dynamic "condition" {
      for_each = local.tags_of_resources

      content {
        test     = "StringEquals"
        variable = "aws:RequestTag/${condition.key}"
        values   = [condition.value]
      }
    }
  }

  # The private names of an interface endpoint are in a zone of AWS's own.
  statement {
    sid       = "NameEndpoints"
    actions   = ["route53:AssociateVPCWithHostedZone"]
    resources = ["arn:${var.partition}:route53:::hostedzone/*"]
  }

  # What the new thing belongs to.
  statement {
    sid = "MakeInItsOwn"

    actions = [
      "ec2:AuthorizeSecurityGroupEgress",
      "ec2:AuthorizeSecurityGroupIngress",
      "ec2:CreateFlowLogs",
      "ec2:CreateNatGateway",
      "ec2:CreateRouteTable",
      "ec2:CreateSecurityGroup",
      "ec2:CreateSubnet",
      "ec2:CreateVpcEndpoint",
      "ec2:RunInstances",
    ]

    resources = [for type in ["elastic-ip", "route-table", "security-group", "subnet", "vpc"] : "${local.of_ec2}${type}/*"]

    dynamic "condition" {
      for_each = local.tags_of_resources

      content {
        test     = "StringEquals"
        variable = "aws:ResourceTag/${condition.key}"
        values   = [condition.value]
      }
    }
  }

  # What comes with an instance, and what it is made of: Amazon's image, a key pair of the account.
  statement {
    sid     = "PartsOfInstances"
    actions = ["ec2:RunInstances"]

    resources = [
      "arn:${var.partition}:ec2:${var.region}::image/*",
      "${local.of_ec2}key-pair/*",
      "${local.of_ec2}network-interface/*",
      "${local.of_ec2}volume/*",
    ]
  }

  statement {
    sid       = "TagWhatIsMade"
    actions   = ["ec2:CreateTags"]
    resources = ["${local.of_ec2}*/*"]

    condition {
      test     = "StringEquals"
      variable = "ec2:CreateAction"
      values   = keys(local.made_with_tags)
    }

    dynamic "condition" {
      for_each = local.tags_of_resources

      content {
        test     = "StringEquals"
        variable = "aws:RequestTag/${condition.key}"
        values   = [condition.value]
      }
    }
  }

  # The volume of an instance gets its tags afterwards. Another environment's has tags already.
  statement {
    sid       = "TagVolumes"
    actions   = ["ec2:CreateTags"]
    resources = ["${local.of_ec2}volume/*"]

    dynamic "condition" {
      for_each = local.tags_of_resources

      content {
        test     = "StringEquals"
        variable = "aws:RequestTag/${condition.key}"
        values   = [condition.value]
      }
    }

    dynamic "condition" {
      for_each = local.tags_of_resources

      content {
        test     = "StringEqualsIfExists"
        variable = "aws:ResourceTag/${condition.key}"
        values   = [condition.value]
      }
    }
  }

  statement {
    sid = "ChangeAndRemove"

    actions = [
      "ec2:AssociateIamInstanceProfile",
      "ec2:AssociateRouteTable",
      "ec2:AttachInternetGateway",
      "ec2:CreateRoute",
      "ec2:CreateTags",
      "ec2:DeleteFlowLogs",
      "ec2:DeleteInternetGateway",
      "ec2:DeleteNatGateway",
      "ec2:DeleteRoute",
      "ec2:DeleteRouteTable",
      "ec2:DeleteSecurityGroup",
      "ec2:DeleteSubnet",
      "ec2:DeleteTags",
      "ec2:DeleteVpc",
      "ec2:DeleteVpcEndpoints",
      "ec2:DetachInternetGateway",
      "ec2:DisassociateAddress",
      "ec2:DisassociateIamInstanceProfile",
      "ec2:DisassociateRouteTable",
      "ec2:ModifyInstanceAttribute",
      "ec2:ModifyInstanceCreditSpecification",
      "ec2:ModifyInstanceMetadataOptions",
      "ec2:ModifySecurityGroupRules",
      "ec2:ModifySubnetAttribute",
      "ec2:ModifyVolume",
      "ec2:ModifyVpcAttribute",
      "ec2:ModifyVpcEndpoint",
      "ec2:ReleaseAddress",
      "ec2:ReplaceRoute",
      "ec2:RevokeSecurityGroupEgress",
      "ec2:RevokeSecurityGroupIngress",
      "ec2:StartInstances",
      "ec2:StopInstances",
    ]

    resources = ["${local.of_ec2}*/*"]

    dynamic "condition" {
      for_each = local.tags_of_resources

      content {
        test     = "StringEquals"
        variable = "aws:ResourceTag/${condition.key}"
        values   = [condition.value]
      }
    }
  }

  # With an instance goes its volume.
  dynamic "statement" {
    for_each = var.deletion_protection ? [] : ["unprotected"]

    content {
      sid       = "RemoveInstances"
      actions   = ["ec2:TerminateInstances"]
      resources = ["${local.of_ec2}instance/*"]

      dynamic "condition" {
        for_each = local.tags_of_resources

        content {
          test     = "StringEquals"
          variable = "aws:ResourceTag/${condition.key}"
          values   = [condition.value]
        }
      }
    }
  }

  # Those that Lambda has made and left, which nothing uses any more, have no tags.
  statement {
    sid       = "RemoveInterfacesOfFunctions"
    actions   = ["ec2:DeleteNetworkInterface"]
    resources = ["${local.of_ec2}network-interface/*"]

    dynamic "condition" {
      for_each = local.tags_of_resources

      content {
        test     = "Null"
        variable = "aws:ResourceTag/${condition.key}"
        values   = ["true"]
      }
    }
  }

  statement {
    sid = "InstanceProfiles"

    actions = [
      "iam:AddRoleToInstanceProfile",
      "iam:CreateInstanceProfile",
      "iam:DeleteInstanceProfile",
      "iam:RemoveRoleFromInstanceProfile",
      "iam:TagInstanceProfile",
      "iam:UntagInstanceProfile",
    ]

    resources = local.instance_profiles
  }
}
