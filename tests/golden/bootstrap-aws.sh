#!/usr/bin/env bash
# Deputy's identities, cluster production-1, in AWS account 123456789012 (AWSAccount production)
set -euo pipefail
export AWS_PAGER=""

said() { echo "deputy: $*" >&2; }

errors=$(mktemp)
trap 'rm -f "$errors"' EXIT

# Whether a call finds what it asks for, which is in $answer then. Anything but "not found" ends the script.
found() {
  if answer=$("$@" 2>"$errors"); then return 0; fi
  if grep -q NoSuchEntity "$errors"; then return 1; fi
  said "$(cat "$errors")"
  exit 1
}

# A document without white space, by which two are compared.
plain() { tr -d '[:space:]'; }

# account ID: ends the script where the credentials are of another account.
account() {
  local is
  is=$(aws sts get-caller-identity --query Account --output text)
  [ "$is" = "$1" ] || { said "the credentials are of account $is; this is for $1"; exit 1; }
}

# policy ARN NAME PATH: makes or changes a managed policy; its document is standard input.
policy() {
  local arn=$1 name=$2 path=$3 document is oldest
  document=$(cat)
  if ! found aws iam get-policy --policy-arn "$arn" --query Policy.DefaultVersionId --output text; then
    aws iam create-policy --policy-name "$name" --path "$path" --policy-document "$document" --output text >/dev/null
    said "made $arn"
    return
  fi
  is=$(aws iam get-policy-version --policy-arn "$arn" --version-id "$answer" --query PolicyVersion.Document --output json)
  if [ "$(plain <<<"$is")" = "$(plain <<<"$document")" ]; then
    said "is as it should be: $arn"
    return
  fi
  # AWS keeps five versions of a policy.
  oldest=$(aws iam list-policy-versions --policy-arn "$arn" --output text \
    --query 'sort_by(Versions[?!IsDefaultVersion], &CreateDate)[-4:-3].VersionId')
  if [ -n "$oldest" ] && [ "$oldest" != None ]; then
    aws iam delete-policy-version --policy-arn "$arn" --version-id "$oldest"
  fi
  aws iam create-policy-version --policy-arn "$arn" --policy-document "$document" --set-as-default --output text >/dev/null
  said "changed $arn"
}

# role NAME PATH ARN: makes a role or changes whom it trusts; its trust policy is standard input.
role() {
  local name=$1 path=$2 arn=$3 document is
  document=$(cat)
  if ! found aws iam get-role --role-name "$name" --query 'Role.[Arn, AssumeRolePolicyDocument]' --output json; then
    aws iam create-role --role-name "$name" --path "$path" --assume-role-policy-document "$document" --output text >/dev/null
    said "made $arn"
    return
  fi
  is=$(plain <<<"$answer")
  case "$is" in
    "[\"$arn\",$(plain <<<"$document")]")
      said "is as it should be: $arn"
      ;;
    "[\"$arn\","*)
      aws iam update-assume-role-policy --role-name "$name" --policy-document "$document"
      said "changed whom $arn trusts"
      ;;
    *)
      said "there is a role $name, and it is not $arn: delete it first"
      exit 1
      ;;
  esac
}

# user NAME PATH ARN: makes a user. Keys are yours to make: aws iam create-access-key --user-name NAME
user() {
  local name=$1 path=$2 arn=$3
  if ! found aws iam get-user --user-name "$name" --query User.Arn --output text; then
    aws iam create-user --user-name "$name" --path "$path" --output text >/dev/null
    said "made $arn; it has no keys yet"
    return
  fi
  [ "$answer" = "$arn" ] || { said "there is $answer, and it should be $arn: delete it first"; exit 1; }
  said "is as it should be: $arn"
}

# attach role|user NAME ARN...: attaches these managed policies, and says which others are attached.
attach() {
  local kind=$1 name=$2 is arn
  shift 2
  is=$(aws iam "list-attached-$kind-policies" "--$kind-name" "$name" --query 'AttachedPolicies[].PolicyArn' --output text)
  for arn in "$@"; do
    case " $(tr '\t\n' '  ' <<<"$is") " in
      *" $arn "*) said "is attached to $kind $name: $arn" ;;
      *)
        aws iam "attach-$kind-policy" "--$kind-name" "$name" --policy-arn "$arn"
        said "attached to $kind $name: $arn"
        ;;
    esac
  done
  for arn in $is; do
    case " $* " in
      *" $arn "* | *" None "*) ;;
      *) [ "$arn" = None ] || said "$kind $name has another policy, which Deputy does not need: $arn" ;;
    esac
  done
}

# association REGION CLUSTER NAMESPACE SERVICEACCOUNT ARN: lets EKS Pod Identity give the role to the ServiceAccount.
association() {
  local region=$1 cluster=$2 namespace=$3 name=$4 arn=$5 id is
  id=$(aws eks list-pod-identity-associations --region "$region" --cluster-name "$cluster" --namespace "$namespace" \
    --service-account "$name" --query 'associations[0].associationId' --output text)
  if [ -z "$id" ] || [ "$id" = None ]; then
    aws eks create-pod-identity-association --region "$region" --cluster-name "$cluster" --namespace "$namespace" \
      --service-account "$name" --role-arn "$arn" --output text >/dev/null
    said "made the association of $namespace/$name with $arn"
    return
  fi
  is=$(aws eks describe-pod-identity-association --region "$region" --cluster-name "$cluster" --association-id "$id" \
    --query association.roleArn --output text)
  if [ "$is" = "$arn" ]; then
    said "is as it should be: the association of $namespace/$name"
    return
  fi
  aws eks update-pod-identity-association --region "$region" --cluster-name "$cluster" --association-id "$id" \
    --role-arn "$arn" --output text >/dev/null
  said "changed the association of $namespace/$name to $arn"
}

# guard NAME ACCOUNT: makes or changes a service control policy, and attaches it to the account; its document is standard input.
guard() {
  local name=$1 account=$2 document id is
  document=$(plain)
  id=$(aws organizations list-policies --filter SERVICE_CONTROL_POLICY --query "Policies[?Name=='$name'].Id" --output text)
  if [ -z "$id" ] || [ "$id" = None ]; then
    id=$(aws organizations create-policy --type SERVICE_CONTROL_POLICY --name "$name" --description "Deputy" \
      --content "$document" --query Policy.PolicySummary.Id --output text)
    said "made service control policy $name"
  else
    is=$(aws organizations describe-policy --policy-id "$id" --query Policy.Content --output text)
    if [ "$(plain <<<"$is")" = "$document" ]; then
      said "is as it should be: service control policy $name"
    else
      aws organizations update-policy --policy-id "$id" --content "$document" --output text >/dev/null
      said "changed service control policy $name"
    fi
  fi
  is=$(aws organizations list-targets-for-policy --policy-id "$id" --query "Targets[?TargetId=='$account'].TargetId" --output text)
  if [ -z "$is" ] || [ "$is" = None ]; then
    aws organizations attach-policy --policy-id "$id" --target-id "$account"
    said "attached it to account $account"
  fi
}

account '123456789012'

# deputy broker
policy 'arn:aws:iam::123456789012:policy/deputy-broker' 'deputy-broker' '/' <<'DOCUMENT'
{
  "Statement": [
    {
      "Action": [
        "sts:AssumeRole",
        "sts:TagSession"
      ],
      "Effect": "Allow",
      "Resource": "arn:aws:iam::123456789012:role/deputy/production-1/*",
      "Sid": "Sessions"
    }
  ],
  "Version": "2012-10-17"
}
DOCUMENT
role 'deputy-broker' '/' 'arn:aws:iam::123456789012:role/deputy-broker' <<'DOCUMENT'
{
  "Statement": [
    {
      "Action": "sts:AssumeRoleWithWebIdentity",
      "Condition": {
        "StringEquals": {
          "oidc.eks.ap-northeast-1.amazonaws.com/id/EXAMPLE:aud": "sts.amazonaws.com",
          "oidc.eks.ap-northeast-1.amazonaws.com/id/EXAMPLE:sub": "system:serviceaccount:deputy:deputy-broker"
        }
      },
      "Effect": "Allow",
      "Principal": {
        "Federated": "arn:aws:iam::123456789012:oidc-provider/oidc.eks.ap-northeast-1.amazonaws.com/id/EXAMPLE"
      },
      "Sid": "ServiceAccountToken"
    }
  ],
  "Version": "2012-10-17"
}
DOCUMENT
attach 'role' 'deputy-broker' 'arn:aws:iam::123456789012:policy/deputy-broker'

# deputy controller
policy 'arn:aws:iam::123456789012:policy/deputy-provisioner' 'deputy-provisioner' '/' <<'DOCUMENT'
{
  "Statement": [
    {
      "Action": "iam:CreateRole",
      "Condition": {
        "ArnLike": {
          "iam:PermissionsBoundary": "arn:aws:iam::123456789012:policy/deputy/production-1/limits/*"
        },
        "StringEquals": {
          "aws:RequestTag/deputy-cluster": "production-1"
        }
      },
      "Effect": "Allow",
      "Resource": "arn:aws:iam::123456789012:role/deputy/production-1/*",
      "Sid": "CreateBoundedRoles"
    },
    {
      "Action": "iam:TagRole",
      "Condition": {
        "StringEquals": {
          "aws:RequestTag/deputy-cluster": "production-1"
        }
      },
      "Effect": "Allow",
      "Resource": "arn:aws:iam::123456789012:role/deputy/production-1/*",
      "Sid": "TagNewRoles"
    },
    {
      "Action": [
        "iam:AttachRolePolicy",
        "iam:PutRolePermissionsBoundary",
        "iam:PutRolePolicy"
      ],
      "Condition": {
        "ArnLike": {
          "iam:PermissionsBoundary": "arn:aws:iam::123456789012:policy/deputy/production-1/limits/*"
        },
        "StringEquals": {
          "aws:ResourceTag/deputy-cluster": "production-1"
        }
      },
      "Effect": "Allow",
      "Resource": "arn:aws:iam::123456789012:role/deputy/production-1/*",
      "Sid": "GrantWithinBoundary"
    },
    {
      "Action": [
        "iam:DeleteRole",
        "iam:DeleteRolePolicy",
        "iam:DetachRolePolicy",
        "iam:TagRole",
        "iam:UntagRole",
        "iam:UpdateAssumeRolePolicy",
        "iam:UpdateRole"
      ],
      "Condition": {
        "StringEquals": {
          "aws:ResourceTag/deputy-cluster": "production-1"
        }
      },
      "Effect": "Allow",
      "Resource": "arn:aws:iam::123456789012:role/deputy/production-1/*",
      "Sid": "ChangeOwnRoles"
    },
    {
      "Action": [
        "iam:GetRole",
        "iam:GetRolePolicy",
        "iam:ListAttachedRolePolicies",
        "iam:ListRolePolicies"
      ],
      "Effect": "Allow",
      "Resource": "arn:aws:iam::123456789012:role/deputy/production-1/*",
      "Sid": "ReadRoles"
    },
    {
      "Action": [
        "iam:GetPolicy",
        "iam:GetPolicyVersion"
      ],
      "Effect": "Allow",
      "Resource": [
        "arn:aws:iam::aws:policy/*",
        "arn:aws:iam::123456789012:policy/*"
      ],
      "Sid": "ReadManagedPolicies"
    },
    {
      "Action": [
        "iam:GetAccountAuthorizationDetails",
        "iam:ListRoles"
      ],
      "Effect": "Allow",
      "Resource": "*",
      "Sid": "ListRoles"
    },
    {
      "Action": "iam:GetAccountSummary",
      "Effect": "Allow",
      "Resource": "*",
      "Sid": "ReadQuotas"
    },
    {
      "Action": [
        "iam:CreatePolicy*",
        "iam:DeletePolicy*",
        "iam:DeleteRolePermissionsBoundary",
        "iam:SetDefaultPolicyVersion"
      ],
      "Effect": "Deny",
      "Resource": "*",
      "Sid": "NeverTheBoundary"
    }
  ],
  "Version": "2012-10-17"
}
DOCUMENT
role 'deputy-provisioner' '/' 'arn:aws:iam::123456789012:role/deputy-provisioner' <<'DOCUMENT'
{
  "Statement": [
    {
      "Action": "sts:AssumeRoleWithWebIdentity",
      "Condition": {
        "StringEquals": {
          "oidc.eks.ap-northeast-1.amazonaws.com/id/EXAMPLE:aud": "sts.amazonaws.com",
          "oidc.eks.ap-northeast-1.amazonaws.com/id/EXAMPLE:sub": "system:serviceaccount:deputy:deputy-controller"
        }
      },
      "Effect": "Allow",
      "Principal": {
        "Federated": "arn:aws:iam::123456789012:oidc-provider/oidc.eks.ap-northeast-1.amazonaws.com/id/EXAMPLE"
      },
      "Sid": "ServiceAccountToken"
    }
  ],
  "Version": "2012-10-17"
}
DOCUMENT
attach 'role' 'deputy-provisioner' 'arn:aws:iam::123456789012:policy/deputy-provisioner'

# deputy limits
policy 'arn:aws:iam::123456789012:policy/deputy-boundary-writer' 'deputy-boundary-writer' '/' <<'DOCUMENT'
{
  "Statement": [
    {
      "Action": [
        "iam:CreatePolicy",
        "iam:CreatePolicyVersion",
        "iam:DeletePolicy",
        "iam:DeletePolicyVersion",
        "iam:GetPolicy",
        "iam:GetPolicyVersion",
        "iam:ListPolicyVersions",
        "iam:TagPolicy",
        "iam:UntagPolicy"
      ],
      "Effect": "Allow",
      "Resource": "arn:aws:iam::123456789012:policy/deputy/production-1/limits/*",
      "Sid": "WriteBoundaries"
    },
    {
      "Action": "iam:ListPolicies",
      "Effect": "Allow",
      "Resource": "*",
      "Sid": "ListPolicies"
    },
    {
      "Action": "iam:GetAccountSummary",
      "Effect": "Allow",
      "Resource": "*",
      "Sid": "ReadQuotas"
    }
  ],
  "Version": "2012-10-17"
}
DOCUMENT
role 'deputy-boundary-writer' '/' 'arn:aws:iam::123456789012:role/deputy-boundary-writer' <<'DOCUMENT'
{
  "Statement": [
    {
      "Action": "sts:AssumeRoleWithWebIdentity",
      "Condition": {
        "StringEquals": {
          "oidc.eks.ap-northeast-1.amazonaws.com/id/EXAMPLE:aud": "sts.amazonaws.com",
          "oidc.eks.ap-northeast-1.amazonaws.com/id/EXAMPLE:sub": "system:serviceaccount:deputy:deputy-limits"
        }
      },
      "Effect": "Allow",
      "Principal": {
        "Federated": "arn:aws:iam::123456789012:oidc-provider/oidc.eks.ap-northeast-1.amazonaws.com/id/EXAMPLE"
      },
      "Sid": "ServiceAccountToken"
    }
  ],
  "Version": "2012-10-17"
}
DOCUMENT
attach 'role' 'deputy-boundary-writer' 'arn:aws:iam::123456789012:policy/deputy-boundary-writer'
