"""amqtt 0.12 made fit for the contract: what it lacks, each with the least that mends it."""

import asyncio

from amqtt.adapters import ReaderAdapter, WriterAdapter
from amqtt.broker import Broker
from amqtt.contexts import BrokerConfig, ListenerConfig, ListenerType
from amqtt.mqtt.protocol.broker_handler import BrokerProtocolHandler
from amqtt.session import Session

LISTENER = "default"
ANONYMOUS = "amqtt.plugins.authentication.AnonymousAuthPlugin"
KEEP_ALIVE_FACTOR = 1.5
"""Of MQTT 3.1.1, section 3.1.2.10: a silent client is dead after one and a half keep-alives."""

_POLL_S = 0.01
_TAKE_OVER_POLLS = 100


def broker_config() -> BrokerConfig:
    """Anonymous clients over sockets that we accept ourselves; no logging, no $SYS topics."""
    listener = ListenerConfig(type=ListenerType.EXTERNAL)
    return BrokerConfig(listeners={LISTENER: listener}, plugins={ANONYMOUS: {}})


class GuardedBroker(Broker):  # type: ignore[misc]
    """The broker with its faults mended that the contract would feel.

    Sessions are expected to be clean: those that amqtt keeps do not survive being taken over.
    """

    async def _publish_retained_messages_for_subscription(
        self, subscription: tuple[str, int], session: Session
    ) -> None:
        """Send retained messages only to a session that holds this very subscription.

        amqtt calls this for every filter of every client whenever anybody connects.
        """
        holders = self._subscriptions.get(subscription[0], [])
        if any(holder is session for holder, _ in holders):
            await super()._publish_retained_messages_for_subscription(subscription, session)

    async def _initialize_client_session(
        self, reader: ReaderAdapter, writer: WriterAdapter, remote_address: str, remote_port: int
    ) -> tuple[BrokerProtocolHandler, Session]:
        """Let a client that is silent for too long count as gone; amqtt waits for it for ever."""
        handler, session = await super()._initialize_client_session(
            reader, writer, remote_address, remote_port
        )
        session.keep_alive = round(session.keep_alive * KEEP_ALIVE_FACTOR)
        handler.handle_read_timeout = reader.feed_eof
        return handler, session

    async def _delete_session(self, client_id: str) -> None:
        """Close the connection of a client id before its successor gets in; will included.

        amqtt forgets the old session but leaves its connection and its will alive.
        """
        session, handler = self._sessions.get(client_id, (None, None))
        if session is not None and session.transitions.is_connected():
            await handler.handle_connection_closed()
            for _ in range(_TAKE_OVER_POLLS):
                if session.transitions.is_disconnected():
                    break
                await asyncio.sleep(_POLL_S)
        await super()._delete_session(client_id)
