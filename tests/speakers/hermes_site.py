"""A house of Rhasspy satellites for tests/speakers: wake word, speech recognition, dialogues, speech and one skill.

The messages are the classes of `rhasspy-hermes`, and its client reads, refuses and sends them: what it cannot parse
reaches nobody here either. Nothing is heard and nothing sounds; what people in a room say comes from the test.

On stdin a line of JSON is an order, on stdout one is something that has happened. Orders:
    {"do": "wake", "site": …, "wakeword": …}            somebody, or the television, says the wake word
    {"do": "talk", "site": …, "text": …, "likelihood": …}   somebody talks
    {"do": "teach", "text": …, "intent": …, "slots": {…}}   what a sentence means
    {"do": "speech", "site": …, "state": "works", "fails" or "hangs"}
    {"do": "sync", "mark": …}                           answered when everything sent before has come by
What comes out is told where it happens, by `tell`.
"""
import argparse
import asyncio
import json
import logging
import sys
import threading
import uuid
from collections import deque

import paho.mqtt.client as mqtt
from rhasspyhermes.asr import (
    AsrStartListening,
    AsrStopListening,
    AsrTextCaptured,
    AsrToggleOff,
    AsrToggleOn,
    AsrToggleReason,
)
from rhasspyhermes.audioserver import AudioToggleOff, AudioToggleOn
from rhasspyhermes.client import HermesClient
from rhasspyhermes.dialogue import (
    DialogueActionType,
    DialogueConfigure,
    DialogueContinueSession,
    DialogueEndSession,
    DialogueIntentNotRecognized,
    DialogueSessionEnded,
    DialogueSessionQueued,
    DialogueSessionStarted,
    DialogueSessionTermination,
    DialogueSessionTerminationReason,
    DialogueStartSession,
)
from rhasspyhermes.handle import HandleToggleOff, HandleToggleOn
from rhasspyhermes.intent import Intent, Slot, SlotRange
from rhasspyhermes.nlu import NluIntent, NluIntentNotRecognized, NluQuery
from rhasspyhermes.tts import TtsError, TtsSay, TtsSayFinished
from rhasspyhermes.wake import HotwordDetected, HotwordToggleOff, HotwordToggleOn, HotwordToggleReason

READ = [
    AsrStartListening,
    AsrStopListening,
    AsrTextCaptured,
    AsrToggleOff,
    AsrToggleOn,
    AudioToggleOff,
    AudioToggleOn,
    DialogueConfigure,
    DialogueContinueSession,
    DialogueEndSession,
    DialogueStartSession,
    HandleToggleOff,
    HandleToggleOn,
    HotwordDetected,
    HotwordToggleOff,
    HotwordToggleOn,
    NluIntent,
    NluIntentNotRecognized,
    NluQuery,
    TtsSay,
    TtsSayFinished,
]
# Where a skill behind the bridge listens.
RELEASED = "hushgate/intent/"
ANSWERS = ("Yes", "No")


def tell(event, **fields):
    """Something has happened."""
    print(json.dumps({"event": event, **fields}), flush=True)


class Log(logging.StreamHandler):
    """The client logs what it cannot parse and goes on. Here that is an event."""

    def emit(self, record):
        if record.msg.startswith("parse_mqtt_message"):
            tell("unreadable", topic=record.args[0], why=str(record.exc_info[1]))
        else:
            super().emit(record)


class Dialogue:
    """One session of the dialogue manager."""

    def __init__(self, site, custom_data=None, intent_filter=None, send_intent_not_recognized=False, text=None):
        self.id = str(uuid.uuid4())
        self.site = site
        self.custom_data = custom_data
        self.intent_filter = intent_filter
        self.send_intent_not_recognized = send_intent_not_recognized
        self.text = text


class Room:
    """One satellite: what is switched off there and for which reasons, and the dialogue that goes on."""

    def __init__(self):
        self.wake_off = set()
        self.asr_off = set()
        self.sounds = True
        self.speech = "works"
        self.dialogue = None
        self.waiting = deque()
        self.listens_for = None


class House(HermesClient):
    """All services of Rhasspy in one client."""

    def __init__(self, client, sites, gated):
        super().__init__("hermes_site", client, site_ids=sites)
        self.rooms = {site: Room() for site in sites}
        self.gated = gated
        self.handles = True
        self.intent_filter = None
        self.finished = {}
        self.sentences = {
            "yes": ("Yes", {}),
            "right": ("Yes", {}),
            "no": ("No", {}),
        }
        self.sync_topic = f"test/sync/{uuid.uuid4()}"
        self.subscribe(*READ)
        self.subscribe_topics(self.sync_topic, RELEASED + "#")

    def mqtt_on_connect(self, client, userdata, flags, rc):
        super().mqtt_on_connect(client, userdata, flags, rc)
        tell("connected")

    async def on_raw_message(self, topic, payload):
        if topic == self.sync_topic:
            tell("synced", mark=payload.decode())
        elif topic.startswith(RELEASED) and self.gated:
            await self.publish_all(self.carry_out(NluIntent.from_dict(json.loads(payload)), topic))

    # What people do.

    async def obey(self, order):
        do = order.pop("do")
        if do == "wake":
            self.hear_wake_word(**order)
        elif do == "talk":
            self.hear(**order)
        elif do == "teach":
            self.sentences[order["text"]] = (order["intent"], order.get("slots", {}))
        elif do == "speech":
            self.rooms[order["site"]].speech = order["state"]
        elif do == "sync":
            self.mqtt_client.publish(self.sync_topic, order["mark"])

    def hear_wake_word(self, site, wakeword="alexa"):
        if self.rooms[site].wake_off:
            tell("deaf", site=site, ears="hotword")
            return
        tell("woke", site=site)
        self.publish(HotwordDetected(model_id=wakeword, site_id=site), wakeword_id=wakeword)

    def hear(self, site, text, likelihood=1.0):
        room = self.rooms[site]
        if room.asr_off or room.listens_for is None:
            tell("deaf", site=site, ears="asr")
            return
        session, room.listens_for = room.listens_for, None
        self.publish(
            AsrTextCaptured(text=text, likelihood=likelihood, seconds=1.2, site_id=site, session_id=session)
        )

    # What messages do.

    async def on_message(self, message, site_id=None, session_id=None, topic=None):
        room = self.rooms.get(site_id)
        if isinstance(message, (HotwordToggleOff, HotwordToggleOn)):
            self.toggle(room.wake_off, message, HotwordToggleReason.UNKNOWN, site_id, "hotword")
        elif isinstance(message, (AsrToggleOff, AsrToggleOn)):
            self.toggle(room.asr_off, message, AsrToggleReason.UNKNOWN, site_id, "asr")
        elif isinstance(message, (AudioToggleOff, AudioToggleOn)):
            room.sounds = isinstance(message, AudioToggleOn)
            tell("sound", site=site_id, on=room.sounds)
        elif isinstance(message, (HandleToggleOff, HandleToggleOn)):
            self.handles = isinstance(message, HandleToggleOn)
            tell("handles", on=self.handles)
        elif isinstance(message, DialogueConfigure):
            # Only what is enabled counts; an empty list ends the filter.
            self.intent_filter = [intent.intent_id for intent in message.intents if intent.enable] or None
            tell("configured", only=self.intent_filter)
        elif isinstance(message, AsrStartListening):
            room.listens_for = message.session_id
            tell("listening", site=site_id, session=message.session_id)
        elif isinstance(message, AsrStopListening):
            room.listens_for = None
        elif isinstance(message, TtsSay):
            self.speak(message, room)
        elif isinstance(message, TtsSayFinished):
            self.finished.pop(message.id, asyncio.Event()).set()
        elif isinstance(message, NluQuery):
            self.recognize(message)
        elif isinstance(message, NluIntent):
            # Rhasspy's own handling reads only the intents themselves, and can be switched off.
            if not self.gated and self.handles:
                async for answer in self.carry_out(message, topic):
                    yield answer
        else:
            async for answer in self.go_on(message, site_id):
                yield answer

    @staticmethod
    def toggle(reasons, message, unknown, site, ears):
        if isinstance(message, (HotwordToggleOff, AsrToggleOff)):
            reasons.add(message.reason)
        elif message.reason == unknown:
            reasons.clear()
        else:
            reasons.discard(message.reason)
        tell("ears", site=site, ears=ears, on=not reasons, reason=message.reason)

    def speak(self, say, room):
        tell("spoke", site=say.site_id, text=say.text, id=say.id, aloud=room.sounds and room.speech == "works")
        if room.speech == "hangs":
            return
        if room.speech == "fails":
            self.publish(TtsError(error="no voice", context=say.id, site_id=say.site_id, session_id=say.session_id))
        self.publish(TtsSayFinished(id=say.id, site_id=say.site_id, session_id=say.session_id))

    def recognize(self, query):
        name, slots = self.sentences.get(query.input, (None, {}))
        if name is None or (query.intent_filter and name not in query.intent_filter):
            self.publish(
                NluIntentNotRecognized(
                    input=query.input,
                    site_id=query.site_id,
                    id=query.id,
                    session_id=query.session_id,
                    custom_data=query.custom_data,
                )
            )
            return
        intent = NluIntent(
            input=query.input,
            intent=Intent(intent_name=name, confidence_score=1.0),
            site_id=query.site_id,
            id=query.id,
            slots=[self.slot(entity, value, query.input) for entity, value in slots.items()],
            session_id=query.session_id,
            custom_data=query.custom_data,
            asr_confidence=query.asr_confidence,
            raw_input=query.input,
            wakeword_id=query.wakeword_id,
        )
        self.publish(intent, intent_name=name)

    @staticmethod
    def slot(entity, value, text):
        start = max(text.find(str(value)), 0)
        span = SlotRange(start=start, end=start + len(str(value)))
        return Slot(entity=entity, value={"kind": "Unknown", "value": value}, confidence=1.0, range=span)

    # The skill that sends messages.

    async def carry_out(self, intent, topic):
        name = intent.intent.intent_name
        if name == "ComposeMessage":
            yield DialogueContinueSession(
                session_id=intent.session_id, text="To whom?", intent_filter=["SendMessage"]
            )
        elif name not in ANSWERS:
            slots = {slot.slot_name: slot.value["value"] for slot in intent.slots or []}
            tell("carried_out", intent=name, slots=slots, topic=topic)
            yield DialogueEndSession(session_id=intent.session_id)

    # The dialogue manager.

    async def go_on(self, message, site_id):
        steps = None
        if isinstance(message, DialogueStartSession):
            steps = self.open(self.dialogue_of(message))
        elif isinstance(message, HotwordDetected):
            steps = self.open(Dialogue(site_id), aborts=True)
        elif isinstance(message, DialogueContinueSession):
            steps = self.continue_dialogue(message)
        elif isinstance(message, DialogueEndSession):
            steps = self.close(self.find(message.session_id), DialogueSessionTerminationReason.NOMINAL)
        elif isinstance(message, AsrTextCaptured):
            steps = self.ask_what_it_means(message)
        elif isinstance(message, NluIntentNotRecognized):
            steps = self.not_recognized(message)
        if steps is not None:
            async for answer in steps:
                yield answer

    def find(self, session):
        dialogues = (room.dialogue for room in self.rooms.values())
        return next((dialogue for dialogue in dialogues if dialogue and dialogue.id == session), None)

    @staticmethod
    def dialogue_of(message):
        init = message.init
        if init.type == DialogueActionType.NOTIFICATION:
            return Dialogue(message.site_id, text=init.text)
        return Dialogue(
            message.site_id, message.custom_data, init.intent_filter, init.send_intent_not_recognized, init.text
        )

    async def open(self, dialogue, aborts=False):
        room = self.rooms[dialogue.site]
        if room.dialogue and not aborts:
            room.waiting.append(dialogue)
            yield DialogueSessionQueued(
                session_id=dialogue.id, site_id=dialogue.site, custom_data=dialogue.custom_data
            )
            return
        if room.dialogue:
            room.waiting.appendleft(dialogue)
            async for step in self.close(room.dialogue, DialogueSessionTerminationReason.ABORTED_BY_USER):
                yield step
            return
        room.dialogue = dialogue
        yield DialogueSessionStarted(
            session_id=dialogue.id, site_id=dialogue.site, custom_data=dialogue.custom_data
        )
        yield HotwordToggleOff(site_id=dialogue.site, reason=HotwordToggleReason.DIALOGUE_SESSION)
        async for step in self.say_and_listen(dialogue, dialogue.text):
            yield step

    async def continue_dialogue(self, message):
        dialogue = self.find(message.session_id)
        if dialogue is None:
            return
        dialogue.intent_filter = message.intent_filter
        if message.custom_data is not None:
            dialogue.custom_data = message.custom_data
        yield AsrStopListening(site_id=dialogue.site, session_id=dialogue.id)
        async for step in self.say_and_listen(dialogue, message.text):
            yield step

    async def say_and_listen(self, dialogue, text):
        if text:
            request = str(uuid.uuid4())
            finished = self.finished[request] = asyncio.Event()
            yield HotwordToggleOff(site_id=dialogue.site, reason=HotwordToggleReason.TTS_SAY)
            yield AsrToggleOff(site_id=dialogue.site, reason=AsrToggleReason.TTS_SAY)
            yield TtsSay(text=text, site_id=dialogue.site, id=request, session_id=dialogue.id)
            await finished.wait()
            yield HotwordToggleOn(site_id=dialogue.site, reason=HotwordToggleReason.TTS_SAY)
            yield AsrToggleOn(site_id=dialogue.site, reason=AsrToggleReason.TTS_SAY)
        if self.rooms[dialogue.site].dialogue is dialogue:
            yield AsrStartListening(site_id=dialogue.site, session_id=dialogue.id)

    async def ask_what_it_means(self, captured):
        dialogue = self.find(captured.session_id)
        if dialogue is None:
            return
        yield AsrStopListening(site_id=dialogue.site, session_id=dialogue.id)
        yield HotwordToggleOn(site_id=dialogue.site, reason=HotwordToggleReason.DIALOGUE_SESSION)
        yield NluQuery(
            input=captured.text,
            site_id=dialogue.site,
            session_id=dialogue.id,
            intent_filter=dialogue.intent_filter or self.intent_filter,
            custom_data=dialogue.custom_data,
            asr_confidence=captured.likelihood,
        )

    async def not_recognized(self, message):
        dialogue = self.find(message.session_id)
        if dialogue is None:
            return
        if dialogue.send_intent_not_recognized:
            yield DialogueIntentNotRecognized(
                session_id=dialogue.id,
                site_id=dialogue.site,
                custom_data=dialogue.custom_data,
                input=message.input,
            )
            return
        async for step in self.close(dialogue, DialogueSessionTerminationReason.INTENT_NOT_RECOGNIZED):
            yield step

    async def close(self, dialogue, reason):
        if dialogue is None:
            return
        room = self.rooms[dialogue.site]
        room.dialogue = None
        yield AsrStopListening(site_id=dialogue.site, session_id=dialogue.id)
        yield DialogueSessionEnded(
            termination=DialogueSessionTermination(reason=reason),
            session_id=dialogue.id,
            site_id=dialogue.site,
            custom_data=dialogue.custom_data,
        )
        tell("dialogue_over", site=dialogue.site, session=dialogue.id, reason=reason)
        if room.waiting:
            async for step in self.open(room.waiting.popleft()):
                yield step
        else:
            yield HotwordToggleOn(site_id=dialogue.site, reason=HotwordToggleReason.DIALOGUE_SESSION)


async def live(house):
    """Obeys the test until its end of the pipe is closed."""
    loop = asyncio.get_running_loop()
    reading = asyncio.create_task(house.handle_messages_async(loop))
    orders = asyncio.Queue()

    def read():
        for line in sys.stdin:
            loop.call_soon_threadsafe(orders.put_nowait, json.loads(line))
        loop.call_soon_threadsafe(orders.put_nowait, None)

    threading.Thread(target=read, daemon=True).start()
    while (order := await orders.get()) is not None:
        await house.obey(order)
    reading.cancel()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--site", action="append", required=True)
    parser.add_argument("--gated", action="store_true", help="the skill listens behind the bridge")
    arguments = parser.parse_args()
    logging.basicConfig(handlers=[Log()])
    client = mqtt.Client()
    house = House(client, arguments.site, arguments.gated)
    client.connect("127.0.0.1", arguments.port)
    client.loop_start()
    asyncio.run(live(house))
    client.disconnect()


if __name__ == "__main__":
    main()
