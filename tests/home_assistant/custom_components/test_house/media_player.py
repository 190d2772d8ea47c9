"""The kitchen speaker: it can be muted."""

from homeassistant.components.media_player import MediaPlayerEntity, MediaPlayerEntityFeature, MediaPlayerState


async def async_setup_platform(hass, config, async_add_entities, discovery_info=None):
    """Add the one speaker."""
    async_add_entities([KitchenSpeaker()])


class KitchenSpeaker(MediaPlayerEntity):
    """A speaker that is loud at the start."""

    _attr_name = "Kitchen speaker"
    _attr_unique_id = "kitchen_speaker"
    _attr_should_poll = False
    _attr_state = MediaPlayerState.ON
    _attr_is_volume_muted = False
    _attr_supported_features = MediaPlayerEntityFeature.VOLUME_MUTE

    async def async_mute_volume(self, mute):
        """Mute it, or let it speak again."""
        self._attr_is_volume_muted = mute
        self.async_write_ha_state()
