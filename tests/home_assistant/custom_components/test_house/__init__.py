"""Things of the test house that are not on MQTT, as a Z-Wave lock or a speaker from a cloud would be."""
