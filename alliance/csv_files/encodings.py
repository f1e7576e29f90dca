"""Determine the encoding of a CSV file: UTF-8, or GB18030, UTF-16 or UTF-32 when that is certain.

Pure. Most files in other encodings (Western European, Korean, Japanese, traditional Chinese) decode as
GB18030 as well, to other characters: a parcel would be booked for somebody who does not exist. So GB18030
must also read as Chinese.
"""

import codecs
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Final

from django.utils.translation import gettext_lazy

from alliance.csv_files.records import MAX_ROW_BYTES
from alliance.csv_files.refusals import refused

UTF8: Final = "utf-8"
GB18030: Final = "gb18030"
# Bytes that are enough to tell a language, of lines that are not ASCII.
_SAMPLE: Final = 1024 * 1024
# Measured with names and addresses: Chinese is above 0.75, of texts in other encodings one in a thousand is
# above 0.5; characters outside GB 2312 are rare in Chinese and most of what traditional Chinese decodes to.
_LEAST_COMMON: Final = 0.6
_LEAST_GB2312: Final = 0.85
_MOST_HANGUL: Final = 0.9
_UTF16_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# Those of UTF-32 first: in little endian they begin with that of UTF-16.
_MARKS: Final = {
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
_MOST_OF_FIRST_LINE: Final = 4096
_NUL_SHARE: Final = 4
NO_ENCODING: Final = gettext_lazy(
    "The encoding of this file cannot be recognised. Save it as “CSV UTF-8” and upload that."
)


@dataclass(slots=True)
class _Lines:
    """How many lines of a file are which text."""

    ascii: int = 0
    utf8: int = 0
    gb18030: int = 0
    neither: int = 0

    @property
    def others(self) -> int:
        return self.gb18030 + self.neither


def encoding_of(file: IO[bytes], *, is_utf8: bool) -> str:
    """Return the encoding to read a file in. Raises InvalidInput when it is not certain.

    A few lines in another encoding than the rest do not count: each costs its own row.
    """
    if is_utf8:
        return UTF8
    lines, sample = _Lines(), bytearray()
    for line in _lines_of(file):
        _count(lines, line)
        if len(sample) < _SAMPLE and not line.isascii() and _decoded(line, GB18030) is not None:
            sample += line
    if lines.others <= lines.utf8:
        return UTF8
    if lines.gb18030 > lines.neither and _is_chinese(bytes(sample)):
        return GB18030
    # The header is one line more. Where half of the rows are good, the others are told one by one.
    if lines.others <= (lines.ascii + lines.utf8 + lines.others - 1) / 2:
        return UTF8
    raise refused(str(NO_ENCODING))


def is_utf16(head: bytes) -> bool:
    """Whether a file begins in UTF-16 or UTF-32, with or without a mark."""
    # The first columns' names are in ASCII, mostly: each letter has a NUL beside it.
    return head.startswith(_UTF16_MARKS) or head[:32].count(0) * _NUL_SHARE > len(head[:32])


def wide_encoding(head: bytes, is_header: Callable[[str], bool]) -> str:
    """Return which of UTF-16 and UTF-32 a file is in; empty if it is in neither, or that is not certain.

    Its mark says so; without one, its first line names columns when it is read so.
    """
    for mark, encoding in _MARKS.items():
        if head.startswith(mark):
            return encoding
    if b"\0" not in head[:_MOST_OF_FIRST_LINE]:
        return ""
    for encoding in _MARKS.values():
        lines = head[:_MOST_OF_FIRST_LINE].decode(encoding, "replace").split("\n")
        if is_header(next(filter(str.strip, lines), "")):
            return encoding
    return ""


def _lines_of(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    while line := file.readline(MAX_ROW_BYTES):
        yield line


def _count(lines: _Lines, line: bytes) -> None:
    if line.isascii():
        lines.ascii += 1
    elif _decoded(line, UTF8) is not None:
        lines.utf8 += 1
    elif _decoded(line, GB18030) is not None:
        lines.gb18030 += 1
    else:
        lines.neither += 1


def _decoded(line: bytes, encoding: str) -> str | None:
    try:
        return line.decode(encoding)
    except UnicodeDecodeError:
        return None


def _is_chinese(raw: bytes) -> bool:
    """Whether bytes in GB18030 read as simplified Chinese."""
    characters = [one for one in raw.decode(GB18030) if not one.isascii()]
    total = len(characters)
    if sum(one in _COMMON for one in characters) < _LEAST_COMMON * total:
        return False
    if sum(_in_gb2312(one) for one in characters) < _LEAST_GB2312 * total:
        return False
    # All of Korean's syllables are Chinese characters in GB 2312, and some of those are common.
    korean = _decoded(raw, "cp949")
    if korean is None:
        return True
    return sum("가" <= one <= "힣" for one in korean) < _MOST_HANGUL * total


def _in_gb2312(character: str) -> bool:
    try:
        character.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True


# The most frequent characters of names, addresses, everyday text, divisions and counties; their punctuation.
_COMMON: Final = frozenset(
    "、。·—（），：；－《》【】“”１２３４５６７８９０＃"
    "阿爱安八巴把坝白柏百办包保宝报鲍北备被本比壁边便变标表别斌滨宾并拨波博不布部才菜蔡苍仓沧藏曹层察产昌"
    "场常长厂超朝潮车晨陈城成程澄吃池赤崇出处川幢春此次从崔村达打大傣戴带代丹单但当岛到道德得的等邓地第递"
    "点电甸店丁定订东董动栋侗都杜度段队对多峨鄂恩而儿尔二发法樊凡范坊芳方房放飞肥分汾份丰封峰锋风冯奉凤夫"
    "扶符福抚府傅阜父富改甘感冈刚岗港高告葛格个给更工龚公贡沟鼓古谷股顾固关官观馆光广桂柜贵郭国果裹过哈孩"
    "海韩涵汉杭郝好号浩和何合河鹤贺黑很衡洪宏红侯候后呼胡湖虎户花华化话怀淮环还黄辉回慧惠会汇活或霍机鸡吉"
    "集几己技季济寄记际纪嘉佳家加贾甲尖间见件健建姜将江蒋交教叫接街杰结解界斤金津锦进晋京经井景静靖九酒就"
    "拒娟觉军俊喀开凯看康柯科可克客孔口库快矿昆拉莱来赖兰揽朗老勒乐雷磊黎离理李里礼莉荔丽利立力联莲连凉梁"
    "良两量亮辽了廖琳林临玲零凌灵陵岭刘流柳六龙隆陇楼芦卢庐鲁露路鹿陆吕伦罗洛妈麻玛马满毛茂么梅没每美门们"
    "蒙盟梦孟米密面苗民敏明名命莫墨母木目那娜纳南男难呢内能倪尼你年鸟宁牛农弄女诺欧派潘盘庞裴彭蓬鹏坪萍平"
    "屏坡铺埔普浦期七其齐旗祁起气千签黔钱前强桥巧钦亲秦沁青轻清情请庆琼丘邱区曲去泉全却然让饶仁人任认日蓉"
    "荣容如汝入瑞若萨三桑色沙山善商上少邵社身深神沈声生省胜师失施诗十石时什实史使始士世事是市室收手寿受舒"
    "淑书术树墅数双水顺说斯思司死四松送宋苏宿肃绥岁遂孙所他它她塔台泰太滩潭谭塘堂唐涛桃特提体天田条铁听亭"
    "庭通桐同铜彤头图涂土团退屯托外湾婉万汪王往望威韦为委伟未魏位渭卫温文问我乌无吴武五物务误西锡溪系霞峡"
    "下厦夏先仙咸现县限线相香襄湘乡翔祥想巷像向象萧晓小孝校笑效些写谢欣新心信星兴行性姓雄熊修秀徐许旭轩宣"
    "薛学雪雅盐严岩延阎眼艳燕雁杨洋阳样瑶姚要野也业叶一医依伊沂宜彝已以易邑逸意义异翼因殷音阴银尹英应营颖"
    "永勇用由游有友右佑又于榆余鱼雨与宇玉寓裕元垣袁原园员源远苑院约岳月悦云运再在泽曾扎寨战站章漳张昭赵肇"
    "者这珍真振镇正政郑知之直址只志至智治中忠钟种重周州洲珠朱诸竹主住注转庄准着资孜子自字总邹走族组最左做"
    "作座佤倩邸馨薇岚怡泸泗泾潼妍婷驿琪梓睿颍鑫"
)
