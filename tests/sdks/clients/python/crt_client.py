"""The common runtime's default chain, as Mountpoint for S3 and the CRT clients of other SDKs use it: who would sign."""

from awscrt.auth import AwsCredentialsProvider
from awscrt.io import ClientBootstrap, DefaultHostResolver, EventLoopGroup
from lines import serve

_group = EventLoopGroup(1)
_bootstrap = ClientBootstrap(_group, DefaultHostResolver(_group))


def make():
    return AwsCredentialsProvider.new_default_chain(_bootstrap)


serve(make, lambda provider: provider.get_credentials().result(60).access_key_id)
