# What Terraform looks at to plan networks, instances and databases. No password, no row.
data "aws_iam_policy_document" "read_network" {
  # These have no resource-level permissions (Service Authorization Reference, Amazon EC2).
  statement {
    sid = "Networks"

    actions = [
      "ec2:DescribeAccountAttributes",
      "ec2:DescribeAddresses",
      "ec2:DescribeAddressesAttribute",
      "ec2:DescribeAvailabilityZones",
      "ec2:DescribeFlowLogs",
      "ec2:DescribeImages",
      "ec2:DescribeInstanceCreditSpecifications",
      "ec2:DescribeInstances",
      "ec2:DescribeInstanceTypes",
      "ec2:DescribeInternetGateways",
      "ec2:DescribeNatGateways",
      "ec2:DescribeNetworkAcls",
      "ec2:DescribeNetworkInterfaces",
      "ec2:DescribePrefixLists",
      "ec2:DescribeRouteTables",
      "ec2:DescribeSecurityGroupRules",
      "ec2:DescribeSecurityGroups",
      "ec2:DescribeSubnets",
      "ec2:DescribeTags",
      "ec2:DescribeVolumes",
      "ec2:DescribeVpcEndpoints",
      "ec2:DescribeVpcs",
    ]

    resources = ["*"]
  }

  statement {
    sid       = "Attributes"
    actions   = ["ec2:DescribeInstanceAttribute", "ec2:DescribeVpcAttribute"]
    resources = ["arn:${var.partition}:ec2:${local.regional}:instance/*", "arn:${var.partition}:ec2:${local.regional}:vpc/*"]

    dynamic "condition" {
      for_each = local.tags_of_resources

      content {
        test     = "StringEquals"
        variable = "aws:ResourceTag/${condition.key}"
        values   = [condition.value]
      }
    }
  }

  # Which image is the newest is Amazon's to say, in parameters that everybody may read.
  statement {
    sid       = "NewestImage"
    actions   = ["ssm:GetParameter"]
    resources = ["arn:${var.partition}:ssm:${var.region}::parameter/aws/service/ami-amazon-linux-latest/*"]
  }

  statement {
    sid       = "InstanceProfiles"
    actions   = ["iam:GetInstanceProfile"]
    resources = local.instance_profiles
  }

  statement {
    sid = "Databases"

    actions = [
      "rds:DescribeDBClusterParameterGroups",
      "rds:DescribeDBClusterParameters",
      "rds:DescribeDBClusters",
      "rds:DescribeDBInstances",
      "rds:DescribeDBSubnetGroups",
      "rds:ListTagsForResource",
    ]

    resources = local.databases
  }

  # Whether a cluster is part of one that spans regions: Terraform asks of every cluster.
  statement {
    sid       = "GlobalDatabases"
    actions   = ["rds:DescribeGlobalClusters"]
    resources = ["arn:${var.partition}:rds::${var.account}:global-cluster:*"]
  }

  # Whatever else is attached to these roles: a plan of a pull request runs code of the pull request.
  statement {
    sid       = "NoSecret"
    effect    = "Deny"
    actions   = ["secretsmanager:BatchGetSecretValue", "secretsmanager:GetSecretValue"]
    resources = ["*"]
  }
}
