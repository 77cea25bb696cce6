"""A real Apache Kafka that wants to know who talks to it."""

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from forwarder.demo.child import Child
from forwarder.settings.types import ClusterSettings, Security
from tests.support.certificates import Authority, Pair
from tests.support.kafka import Broker
from tests.support.ports import LOOPBACK, free_port
from tests.support.waiting import wait_until

_ANSWER_WITHIN_S = 15.0
_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_SCRAM = {"SCRAM-SHA-256": ScramMechanism.SCRAM_SHA_256, "SCRAM-SHA-512": ScramMechanism.SCRAM_SHA_512}
_ITERATIONS = 4096


class SecureBroker(Broker):
    """Has a listener for each kind of security, and lets each user do only what was granted.

    `address` is for the administrator, who needs no security: `consume` and all other methods work there. The listeners
    are at `at(NAME)`; those of certificates that nobody should accept are EXPIRED, RENEWED, OTHER_HOST and STRANGER.
    """

    USER = "alice"
    """May do all."""
    LIMITED = "bob"
    """May do what is granted."""
    PASSWORD = "s3cret, with=odd 'signs' + 20%"
    CLIENT = "CN=forwarder"
    """The user who has the certificate `client`; may do all."""

    def __init__(self, folder: Path) -> None:
        """`folder` is for certificates."""
        self.authority = Authority(folder, "authority")
        self.strangers = Authority(folder, "strangers")
        self.client = self.authority.issue("forwarder")
        self._good = self.authority.issue("broker", [LOOPBACK])
        past = (timedelta(days=-20), timedelta(days=-1))
        pairs = {
            "TLS": self._good,
            "MUTUAL": self._good,
            "EXPIRED": self.authority.issue("expired", [LOOPBACK], valid=past),
            "RENEWED": self.authority.issue("renewed", [LOOPBACK], valid=past),
            "OTHER_HOST": self.authority.issue("other_host", ["other.example"]),
            "STRANGER": self.strangers.issue("stranger", [LOOPBACK]),
        }
        protocols = {"SASL_PLAINTEXT": "SASL_PLAINTEXT", "SASL_SSL": "SASL_SSL", "ONLY_512": "SASL_PLAINTEXT"}
        self._protocols = {**protocols, **dict.fromkeys(pairs, "SSL")}
        self._ports = {name: free_port() for name in self._protocols}
        super().__init__(properties=self._security_properties({**pairs, "SASL_SSL": self._good}))
        node = self._configuration.read_text()
        for key, of_all in (
            ("listeners", {name: f"{name}://{self.at(name)}" for name in self._ports}),
            ("advertised.listeners", {name: f"{name}://{self.at(name)}" for name in self._ports}),
            ("listener.security.protocol.map", {name: f"{name}:{kind}" for name, kind in self._protocols.items()}),
        ):
            more = ",".join(of_all.values())
            node = re.sub(rf"(?m)^{re.escape(key)}=.*", lambda found, more=more: f"{found[0]},{more}", node)
        self._configuration.write_text(node)

    def at(self, listener: str) -> str:
        """`host:port` of a listener."""
        return f"{LOOPBACK}:{self._ports[listener]}"

    def cluster(
        self,
        listener: str,
        mechanism: str = "",
        *,
        user: str = USER,
        password: str = PASSWORD,
        authority: Authority | None = None,
        client: Pair | None = None,
    ) -> ClusterSettings:
        """What a forwarder is to be told to use a listener, with whatever is to be right or wrong in it."""
        protocol = self._protocols[listener]
        security = Security(
            protocol,
            mechanism,
            user if mechanism else "",
            password if mechanism else "",
            (authority or self.authority).certificate if protocol.endswith("SSL") else None,
            client.certificate if client else None,
            client.key if client else None,
        )
        return ClusterSettings((self.at(listener),), security)

    def _wait_until_ready(self, child: Child) -> None:
        super()._wait_until_ready(child)
        for user in (self.USER, self.LIMITED):
            self.set_password(user, self.PASSWORD)

    def create_topic(self, name: str, *numbers: int, **more: Any) -> None:
        """As of any broker; returns when this one has heard of the topic that its controller has made."""
        super().create_topic(name, *numbers, **more)
        admin = self._admin()
        wait_until(lambda: name in admin.list_topics(timeout=_ANSWER_WITHIN_S).topics, _ANSWER_WITHIN_S)

    def set_password(self, user: str, password: str) -> None:
        """Of the SCRAM mechanisms; that of PLAIN is fixed."""
        admin = self._admin()
        for mechanism in _SCRAM.values():
            how = ScramCredentialInfo(mechanism, _ITERATIONS)
            change = UserScramCredentialUpsertion(user, how, password.encode())
            admin.alter_user_scram_credentials([change])[user].result(_ANSWER_WITHIN_S)

    def grant(self, topic: str, *operations: AclOperation, user: str = LIMITED) -> None:
        """Allow somebody to do this with a topic."""
        admin = self._admin()
        wanted = [AclBinding(*_acl(user, topic, each)) for each in operations]
        for granted in admin.create_acls(wanted).values():
            granted.result(_ANSWER_WITHIN_S)

    def revoke(self, topic: str, *operations: AclOperation, user: str = LIMITED) -> None:
        """Take back what was granted."""
        admin = self._admin()
        unwanted = [AclBindingFilter(*_acl(user, topic, each)) for each in operations]
        for revoked in admin.delete_acls(unwanted).values():
            revoked.result(_ANSWER_WITHIN_S)

    def renew(self) -> None:
        """Give the listener RENEWED a certificate that is all right."""
        renewed = self.authority.issue("renewed", [LOOPBACK])
        # A broker reads a file again when it is told its name again.
        location = "listener.name.renewed.ssl.keystore.location"
        entry = ConfigEntry(location, str(renewed.both), incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ConfigResource.Type.BROKER, "1", incremental_configs=[entry])
        admin = self._admin()
        for changed in admin.incremental_alter_configs([resource]).values():
            changed.result(_ANSWER_WITHIN_S)

    def _security_properties(self, pairs: Mapping[str, Pair]) -> dict[str, str | int]:
        users = " ".join(f'user_{user}="{self.PASSWORD}"' for user in (self.USER, self.LIMITED))
        login = "org.apache.kafka.common.security"
        properties: dict[str, str | int] = {
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": f"User:ANONYMOUS;User:{self.USER};User:{self.CLIENT}",
            "connection.failed.authentication.delay.ms": 10,
        }
        for listener in self._protocols:
            prefix = f"listener.name.{listener.lower()}"
            if "SASL" in self._protocols[listener]:
                mechanisms = _MECHANISMS if listener != "ONLY_512" else _MECHANISMS[-1:]
                properties[f"{prefix}.sasl.enabled.mechanisms"] = ",".join(mechanisms)
                for mechanism in mechanisms:
                    module = f"{login}.scram.ScramLoginModule required"
                    if mechanism == "PLAIN":
                        module = f"{login}.plain.PlainLoginModule required {users}"
                    properties[f"{prefix}.{mechanism.lower()}.sasl.jaas.config"] = f"{module};"
            if listener in pairs:
                properties[f"{prefix}.ssl.keystore.type"] = "PEM"
                properties[f"{prefix}.ssl.keystore.location"] = str(pairs[listener].both)
        properties["listener.name.mutual.ssl.client.auth"] = "required"
        properties["listener.name.mutual.ssl.truststore.type"] = "PEM"
        properties["listener.name.mutual.ssl.truststore.location"] = str(self.authority.certificate)
        return properties


def _acl(user: str, topic: str, operation: AclOperation) -> tuple[Any, ...]:
    pattern = ResourcePatternType.LITERAL
    return ResourceType.TOPIC, topic, pattern, f"User:{user}", "*", operation, AclPermissionType.ALLOW
