# Making and changing database clusters, and, without deletion protection, removing them. Nobody who deploys reads a
# password: RDS makes it and keeps it.
data "aws_iam_policy_document" "write_databases" {
  statement {
    sid = "Clusters"

    actions = [
      "rds:AddTagsToResource",
      "rds:CreateDBCluster",
      "rds:CreateDBClusterParameterGroup",
      "rds:CreateDBInstance",
      "rds:CreateDBSubnetGroup",
      "rds:DeleteDBClusterParameterGroup",
      "rds:DeleteDBSubnetGroup",
      "rds:ModifyDBCluster",
      "rds:ModifyDBClusterParameterGroup",
      "rds:ModifyDBInstance",
      "rds:ModifyDBSubnetGroup",
      "rds:RebootDBInstance",
      "rds:RemoveTagsFromResource",
      "rds:ResetDBClusterParameterGroup",
    ]

    resources = local.databases
  }

  # The groups of AWS's own that a cluster and its instances belong to beside those that are made for them.
  statement {
    sid       = "DefaultGroups"
    actions   = ["rds:CreateDBCluster", "rds:CreateDBInstance", "rds:ModifyDBCluster", "rds:ModifyDBInstance"]
    resources = [for group in ["og:default:*", "pg:default.*"] : "arn:${var.partition}:rds:${local.regional}:${group}"]
  }

  # An instance holds nothing of its own: the data is the cluster's. A reader can go as well as come.
  statement {
    sid       = "RemoveInstances"
    actions   = ["rds:DeleteDBInstance"]
    resources = local.databases
  }

  # With the final snapshot that is made of it, in its tags.
  dynamic "statement" {
    for_each = var.deletion_protection ? [] : ["unprotected"]

    content {
      sid       = "RemoveClusters"
      actions   = ["rds:CreateDBClusterSnapshot", "rds:DeleteDBCluster"]
      resources = local.databases
    }
  }

  # What RDS does in the name of whoever makes a cluster or changes its secret (Amazon Aurora User Guide, "Password
  # management with Amazon Aurora and AWS Secrets Manager"). A secret of RDS is named by it, and carries its cluster.
  statement {
    sid       = "MakeSecrets"
    actions   = ["secretsmanager:CreateSecret", "secretsmanager:TagResource"]
    resources = local.secrets
  }

  statement {
    sid       = "RotateSecrets"
    actions   = ["secretsmanager:RotateSecret"]
    resources = local.secrets

    condition {
      test     = "StringLike"
      variable = "aws:ResourceTag/aws:rds:primaryDBClusterArn"
      values   = local.clusters
    }
  }

  # The first cluster of an account.
  statement {
    sid       = "RoleOfRds"
    actions   = ["iam:CreateServiceLinkedRole"]
    resources = ["arn:${var.partition}:iam::${var.account}:role/aws-service-role/rds.amazonaws.com/AWSServiceRoleForRDS"]

    condition {
      test     = "StringEquals"
      variable = "iam:AWSServiceName"
      values   = ["rds.amazonaws.com"]
    }
  }
}
