"""Things of the test house that are not on MQTT, as a Z-Wave lock or a speaker from a cloud would be."""

import asyncio

from homeassistant.core import SupportsResponse

SATELLITE = "assist_satellite.kitchen"


async def async_setup(hass, config):
    """Add the actions of a satellite and of Echos. They have the names, fields and states of the real ones."""

    async def announce(call):
        """Speak. As with a real one, this takes until it is spoken."""
        hass.states.async_set(call.data["entity_id"][0], "responding")
        await asyncio.sleep(0.1)
        hass.states.async_set(call.data["entity_id"][0], "idle")

    async def ask_question(call):
        """Speak the question and wait for what is said: an event of the test."""
        heard = asyncio.get_running_loop().create_future()
        stop = hass.bus.async_listen_once("test_house_said", heard.set_result)
        hass.states.async_set(call.data["entity_id"], "responding")
        hass.states.async_set(call.data["entity_id"], "listening")
        try:
            sentence = (await heard).data["sentence"]
        finally:
            stop() if not heard.done() else None
            hass.states.async_set(call.data["entity_id"], "idle")
        fitting = [answer["id"] for answer in call.data["answers"] if sentence in answer["sentences"]]
        return {"id": fitting[0] if fitting else None, "sentence": sentence, "slots": {}}

    async def notify_alexa(call):
        """Take an announcement; it shows in the event stream."""

    hass.services.async_register("assist_satellite", "announce", announce)
    hass.services.async_register(
        "assist_satellite", "ask_question", ask_question, supports_response=SupportsResponse.ONLY
    )
    hass.services.async_register("notify", "alexa_media", notify_alexa)
    hass.states.async_set(SATELLITE, "idle")
    return True
