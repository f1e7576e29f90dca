"""The couriers and merchants of the demo, and their properties."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DemoCourier:
    """A courier and how reliable it is."""

    name: str
    permit: str
    contact: str
    punctual: float
    # Multiplies the lane's list price.
    price: float
    # Which of the demo's cities it serves, as positions in the list by population.
    cities: tuple[int, ...]


COURIERS = (
    DemoCourier("Swift Crane Express 迅鹤速运", "浙邮20210017B", "林晓", 0.975, 1.15,
                (0, 1, 2, 3, 5, 6, 8, 10)),
    DemoCourier("Long River Logistics 长江联运物流集团有限公司", "鄂邮20180233B", "周建国", 0.955, 1.0,
                (1, 4, 7, 9, 11, 13, 14, 16)),
    DemoCourier("Northern Dipper 北斗同城急送", "京邮20190412B", "赵敏", 0.965, 1.1,
                (2, 12, 15, 17, 18, 20, 22, 24)),
    DemoCourier("Pearl Harbour Couriers 珠港快递", "粤邮20200098B", "陈嘉欣", 0.95, 0.98,
                (3, 5, 8, 19, 21, 23, 25, 27)),
    DemoCourier("Silk Road Freight 丝路货运", "陕邮20170541B", "马志远", 0.93, 0.92,
                (0, 4, 6, 10, 12, 26, 28, 29)),
    DemoCourier("Panda Parcel 熊猫包裹", "川邮20220310B", "何雨桐", 0.945, 0.95,
                (0, 1, 7, 9, 11, 15, 18, 22)),
    DemoCourier("Golden Monkey Delivery 金猴派送", "苏邮20200777B", "孙浩", 0.935, 0.97,
                (2, 3, 6, 13, 14, 17, 20, 26)),
    # The one that is visibly worse: cheap, and late.
    DemoCourier("Bargain Bullet 特惠飞送", "鲁邮20230042B", "吴刚", 0.70, 0.78,
                (0, 1, 2, 3, 4, 5, 8, 16)),
)  # fmt: skip

# Two more at the door: one waits for ops, one has not finished.
APPLICANTS = (
    ("Blue Whale Express 蓝鲸速递", True),
    ("Cloud Bridge Same-Day 云桥同城", False),
)

TRADES = (
    "Lotus Tea 莲香茶业",
    "Bamboo Books 竹里书店",
    "Red Lantern Gifts 红灯笼礼品",
    "Jade Rabbit Toys 玉兔玩具",
    "Silver Needle Fashion 银针服饰",
    "Mountain Spring Foods 山泉食品",
    "Ink Stone Stationery 墨砚文具",
    "Plum Blossom Beauty 梅花美妆",
    "Phoenix Phones 凤凰数码",
    "Crane Pharmacy 鹤年堂药房",
    "Morning Noodles 晨光面馆",
    "Paper Kite Crafts 纸鸢手作",
    "Harbour Seafood 海港鲜品",
    "Willow Shoes 柳岸鞋业",
    "Nine Cakes 九号蛋糕",
    "Green Field Produce 绿野农产",
    "Star Ocean Optics 星海眼镜",
    "Tiger Sports 虎跃体育",
    "Moon Gate Home 月门家居",
    "Cotton Cloud Baby 棉云母婴",
    "Old Street Spices 老街香料",
    "Peach Garden Wine 桃园酒业",
    "Panda Pets 熊猫宠物",
    "River Stone Jewellery 河石珠宝",
    "Clear Sky Appliances 晴空家电",
    "Snow Lily Flowers 雪莲花艺",
    "Iron Horse Parts 铁马汽配",
    "West Lake Silk 西湖丝绸",
    "Sunrise Coffee 日出咖啡",
    "Little Swan Kids 小天鹅童装",
    "Great Wall Tools 长城五金",
    "Spring Rain Umbrellas 春雨伞业",
    "Pine Tree Music 松韵乐器",
    "Yellow Crane Prints 黄鹤印务",
    "Pearl River Audio 珠江音响",
    "Dragon Boat Outdoor 龙舟户外",
    "Rice Paper Art 宣纸艺术",
    "Lucky Cat Snacks 招财猫零食",
    "Heavenly Pool Water 天池饮用水",
    "Long Lasting Friendship Imported Household Goods and Gifts 天长地久进口家居礼品（杭州）有限责任公司",
)

SURNAMES = "王李张刘陈杨黄赵周吴徐孙马朱胡郭何高林罗"
GIVEN_NAMES = (
    "伟",
    "芳",
    "娜",
    "敏",
    "静",
    "丽",
    "强",
    "磊",
    "军",
    "洋",
    "勇",
    "艳",
    "杰",
    "娟",
    "涛",
    "明",
    "超",
    "秀英",
    "霞",
    "平",
    "雨桐",
    "子轩",
)
STREETS = (
    "中山路",
    "人民路",
    "解放大道",
    "建设街",
    "和平里",
    "文化路",
    "新华街",
    "长江路",
    "学院路",
    "花园巷",
)
