"""The add-ons that most clusters have, under one limit."""

from ..story import Request, Story, allow, deny
from ..telling import chapter

REGION = "ap-northeast-1"
ZONE = "Z0123456789ABCDEFGHIJ"
_EC2 = f"arn:aws:ec2:{REGION}:123456789012"
_CLUSTER = "elbv2.k8s.aws/cluster"
_OWNED = "kubernetes.io/cluster/production-1"
_SUBNETS = ["subnet-1", "subnet-2"]


def _record(zone: str) -> dict:
    record = {"Name": "app.example.com", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}
    return {"HostedZoneId": zone, "ChangeBatch": {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]}}


class AddOns(Story):
    """external-dns, cluster-autoscaler, AWS Load Balancer Controller, Karpenter."""

    example = "add-ons"
    title = "one limit for the add-ons of the cluster"
    refused = {
        "external-dns-every-zone.yaml": ("route53:ChangeResourceRecordSets", f"hostedzone/{ZONE}", "ExceedsLimit"),
        "karpenter-another-role.yaml": ("iam:PassRole", "role/administrator", "role/production-1-node"),
        "load-balancers-without-tag.yaml": ("elasticloadbalancing:DeleteLoadBalancer", f"aws:ResourceTag/{_CLUSTER}"),
    }

    def prepare(self) -> None:
        zones = self.stage.client("route53")
        made = [zones.create_hosted_zone(Name=n, CallerReference=n)["HostedZone"]["Id"] for n in ("example.com", "example.org")]
        self.zone, self.another = (i.rsplit("/", 1)[-1] for i in made)
        self.on_double[ZONE] = self.zone
        queue = self.stage.client("sqs", region=REGION)
        self.url = queue.create_queue(QueueName="production-1-karpenter")["QueueUrl"]
        self.payroll = queue.create_queue(QueueName="payroll")["QueueUrl"]

    def use(self) -> None:
        self.external_dns()
        self.cluster_autoscaler()
        self.load_balancer_controller()
        self.karpenter()

    def external_dns(self) -> None:
        chapter("external-dns, whose namespace is injected")
        agent = self.pod("external-dns", "external-dns")
        self.calls("external-dns", agent.environment("app"), [
            allow("ListHostedZones", "route53", "list_hosted_zones"),
            allow("ChangeResourceRecordSets example.com", "route53", "change_resource_record_sets", **_record(self.zone)),
            deny("ChangeResourceRecordSets example.org", "route53", "change_resource_record_sets", **_record(self.another)),
        ])

    def in_kube_system(self, account: str):
        """A pod in kube-system has to ask by its own label."""
        return self.pod("kube-system", account, labels={"deputy.dev/inject": "enabled"}).environment("app")

    def cluster_autoscaler(self) -> None:
        chapter("cluster-autoscaler, in kube-system, where only a pod's own label counts")
        group = f"arn:aws:autoscaling:{REGION}:123456789012:autoScalingGroup:1a2b:autoScalingGroupName/workers"
        self.calls("cluster-autoscaler", self.in_kube_system("cluster-autoscaler"), [
            allow("DescribeAutoScalingGroups", "autoscaling", "describe_auto_scaling_groups"),
            deny("SetDesiredCapacity workers, which has no tag", "autoscaling", "set_desired_capacity",
                 AutoScalingGroupName="workers", DesiredCapacity=1),
            deny("ListHostedZones", "route53", "list_hosted_zones"),
        ])
        tags = {f"aws:ResourceTag/k8s.io/cluster-autoscaler/{k}": v for k, v in (("enabled", "true"), ("production-1", "owned"))}
        other = {"aws:ResourceTag/k8s.io/cluster-autoscaler/enabled": "true"}
        self.judge("kube-system", "cluster-autoscaler", "The double does not know the tags of Auto Scaling groups", [
            Request("SetDesiredCapacity of a group of this cluster", "allowed", "autoscaling:SetDesiredCapacity", group, tags),
            Request("SetDesiredCapacity of another cluster's", "denied", "autoscaling:SetDesiredCapacity", group, other),
        ])

    def load_balancer_controller(self) -> None:
        chapter("AWS Load Balancer Controller")
        other = [{"Key": _CLUSTER, "Value": "staging"}]
        self.calls("aws-load-balancer-controller", self.in_kube_system("aws-load-balancer-controller"), [
            allow("DescribeLoadBalancers", "elbv2", "describe_load_balancers"),
            deny("CreateLoadBalancer with another cluster's tag", "elbv2", "create_load_balancer",
                 Name="other", Subnets=_SUBNETS, Tags=other),
            deny("CreateLoadBalancer without a tag", "elbv2", "create_load_balancer", Name="bare", Subnets=_SUBNETS),
        ])
        new, old = (f"arn:aws:elasticloadbalancing:{REGION}:123456789012:loadbalancer/app/shop/{i}" for i in "*1")
        create, delete = "elasticloadbalancing:CreateLoadBalancer", "elasticloadbalancing:DeleteLoadBalancer"
        request, resource = f"aws:RequestTag/{_CLUSTER}", f"aws:ResourceTag/{_CLUSTER}"
        self.judge("kube-system", "aws-load-balancer-controller", "The double does not know the tags of load balancers", [
            Request("CreateLoadBalancer with this cluster's tag", "allowed", create, new, {request: "production-1"}),
            Request("CreateLoadBalancer with another one's", "denied", create, new, {request: "staging"}),
            Request("DeleteLoadBalancer of this cluster", "allowed", delete, old, {resource: "production-1"}),
            Request("DeleteLoadBalancer of another one", "denied", delete, old, {resource: "staging"}),
        ])

    def karpenter(self) -> None:
        chapter("Karpenter")
        self.calls("karpenter", self.in_kube_system("karpenter"), [
            allow("DescribeInstances", "ec2", "describe_instances"),
            allow("ReceiveMessage production-1-karpenter", "sqs", "receive_message", QueueUrl=self.url),
            deny("ReceiveMessage payroll", "sqs", "receive_message", QueueUrl=self.payroll),
        ])
        request, resource = {f"aws:RequestTag/{_OWNED}": "owned"}, {f"aws:ResourceTag/{_OWNED}": "owned"}
        to_ec2 = {"iam:PassedToService": "ec2.amazonaws.com"}
        role, another = (f"arn:aws:iam::123456789012:role/{name}" for name in ("production-1-node", "administrator"))
        self.judge("kube-system", "karpenter", "The double judges a call of EC2 by one resource and passes no roles", [
            Request("RunInstances, tagged as this cluster's", "allowed", "ec2:RunInstances", f"{_EC2}:instance/*", request),
            Request("RunInstances, not tagged", "denied", "ec2:RunInstances", f"{_EC2}:instance/*"),
            Request("TerminateInstances of this cluster", "allowed", "ec2:TerminateInstances", f"{_EC2}:instance/i-1", resource),
            Request("TerminateInstances of anybody else", "denied", "ec2:TerminateInstances", f"{_EC2}:instance/i-1"),
            Request("PassRole production-1-node to EC2", "allowed", "iam:PassRole", role, to_ec2),
            Request("PassRole production-1-node to Lambda", "denied", "iam:PassRole", role,
                    {"iam:PassedToService": "lambda.amazonaws.com"}),
            Request("PassRole administrator to EC2", "denied", "iam:PassRole", another, to_ec2),
        ])
