"""Redis or Valkey: answers, and passes messages on."""

import asyncio
import secrets

from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

from app.core.settings import Settings
from app.doctor.findings import Finding, failed, ok, skipped
from app.infra.redis.bus import connect

_HEARD_WITHIN_S = 3.0


async def redis_findings(settings: Settings) -> list[Finding]:
    url = settings.redis_url.get_secret_value()
    if not url:
        return [skipped("redis.reachable", "REDIS_URL is not set: PostgreSQL rings the doorbell")]
    channel = f"renum:doctor:{secrets.token_hex(8)}"
    try:
        async with connect(url, retries=0) as redis, redis.pubsub() as pubsub:
            version = (await redis.info("server"))["redis_version"]
            await pubsub.subscribe(channel)
            await redis.publish(channel, "ring")
            async with asyncio.timeout(_HEARD_WITHIN_S):
                async for message in pubsub.listen():
                    if message["type"] == "message":
                        break
    except (AuthenticationError, NoPermissionError) as error:
        advice = "check user and password, and that the user may PUBLISH, SUBSCRIBE and run scripts"
        return [failed("redis.reachable", f"it does not let us in: {error}", advice)]
    except TimeoutError:
        advice = "allow the channels renum:*"
        return [failed("redis.reachable", "it answers, but passes no messages on", advice)]
    except (RedisError, OSError, ValueError) as error:
        advice = "start it, or check host and port in REDIS_URL; without it live updates come late"
        return [failed("redis.reachable", f"no answer: {error}", advice)]
    return [ok("redis.reachable", f"version {version}, messages arrive")]
